import { describe, expect, it } from 'vitest';
import { KNOWN_BREAKERS } from '../../src/domain/evolve/breakers.ts';
import { Journal } from '../../src/domain/ledger/journal.ts';
import { canonicalState } from '../../src/domain/snapshot.ts';
import type { BreakerTrigger } from '../../src/model/modes.ts';
import { config, ONE_TIER, request, Spec } from './spec.ts';

const BREAKER = { breaker: { minimumCalls: 4, windowCount: 8, openMs: 1_000, jitterRatio: 0, halfOpenProbes: 2 } };

/** Records a trigger as the manager would: seen by the breaker's present generation. */
function trigger(
  pool: Spec,
  kind: BreakerTrigger,
  generation: number | null = pool.gate.record.generation,
  draw = 0.5,
) {
  const events = pool.events('TriggerBreaker', { trigger: kind, generation, draw });
  const record = pool.state.breakers.get('w1');
  if (events.includes('BreakerModeChanged') && record !== undefined) pool.gate.apply(record, pool.now);
  return events;
}

const sample = (pool: Spec, ok: boolean, durationMs = 1, generation = pool.gate.record.generation) =>
  pool.gate.sample({ ok, durationMs, at: pool.now, generation });

function open(patch: object = {}): Spec {
  const pool = new Spec({ breaker: { ...BREAKER.breaker, ...patch } });
  trigger(pool, 'failures.high');
  return pool;
}

describe('the breakers of many writers', () => {
  const BY_HAND = { trigger: 'force.open', generation: null, draw: 0.5 } as const;
  const as = (pool: Spec, writerId: string) => Object.assign(pool.context, { writerId });

  function many(): Spec {
    const pool = new Spec(BREAKER);
    for (let i = 0; i < 3 * KNOWN_BREAKERS; i++) {
      as(pool, `writer-${i}`);
      pool.when('TriggerBreaker', BY_HAND);
    }
    return pool;
  }

  it('are known up to a number: those that changed last, in a state that is undone or replayed, too', () => {
    const pool = many();
    const known = Array.from({ length: KNOWN_BREAKERS }, (_, i) => `writer-${2 * KNOWN_BREAKERS + i}`);
    expect([...pool.state.breakers.keys()].sort()).toEqual(known.sort());
    const before = canonicalState(pool.state);
    const journal = new Journal();
    as(pool, 'another');
    pool.when('TriggerBreaker', BY_HAND, journal);
    expect(pool.state.breakers.size).toBe(KNOWN_BREAKERS);
    journal.undoTo(0);
    expect(canonicalState(pool.state)).toBe(before);
  });

  it('are closed where they are forgotten: what such a writer says next is recorded', () => {
    const pool = many();
    as(pool, 'writer-0');
    const data = { trigger: 'failures.high', generation: 7, draw: 0.5 } as const;
    expect(pool.events('TriggerBreaker', data)).toEqual(['BreakerModeChanged']);
    expect(pool.state.breakers.get('writer-0')).toMatchObject({ mode: 'open', generation: 8 });
  });
});

describe('the breaker', () => {
  it('trips on the failure ratio, with the minimum volume, within the window', () => {
    const pool = new Spec(BREAKER);
    for (let i = 0; i < 3; i++) sample(pool, false);
    expect(pool.gate.judge(pool.now)).toBeUndefined();
    sample(pool, true);
    expect(pool.gate.judge(pool.now)).toBe('failures.high');
    expect(pool.gate.judge(pool.now + 60_001)).toBeUndefined();
  });

  it('trips on slow calls', () => {
    const pool = new Spec(BREAKER);
    for (let i = 0; i < 4; i++) sample(pool, true, 1_000);
    expect(pool.gate.judge(pool.now)).toBe('slow.high');
  });

  it('refuses allocates while open and says until when; release and renew pass', () => {
    const pool = new Spec(BREAKER);
    const lease = pool.granted('a', { cpu: 1 });
    expect(trigger(pool, 'failures.high')).toEqual(['BreakerModeChanged']);
    expect(pool.refused('b', { cpu: 1 })).toMatchObject({ code: 'BREAKER_OPEN', retryAfterMs: 1_000 });
    expect(pool.when('Renew', { leaseId: lease.leaseId, token: 1, ttlMs: null }).answer.kind).toBe('lease');
    expect(pool.release(lease).kind).toBe('lease');
  });

  it('lets exactly the stated probes through while half-open, and closes when they succeed', () => {
    const pool = open();
    expect(trigger(pool, 'openElapsed')).toEqual(['BreakerModeChanged']);
    pool.granted('a', { cpu: 1 });
    pool.granted('b', { cpu: 1 });
    expect(pool.refused('c', { cpu: 1 }).code).toBe('BREAKER_OPEN');
    sample(pool, true);
    expect(pool.gate.judge(pool.now)).toBeUndefined();
    sample(pool, true);
    expect(pool.gate.judge(pool.now)).toBe('probes.succeeded');
  });

  it('is asked before the modes of tiers and the drain of the pool, and after the key and what is never right', () => {
    const pool = new Spec(BREAKER);
    pool.granted('a', { cpu: 1 }, { idempotencyKey: 'k' });
    pool.when('CordonTier', { tier: 'main' });
    trigger(pool, 'failures.high');
    expect(pool.refused('b', { cpu: 1 }).code).toBe('BREAKER_OPEN');
    expect(pool.refused('b', { cpu: 10_001 }).code).toBe('NEVER_FITS');
    expect(pool.refused('a', { cpu: 1 }).code).toBe('ID_IN_USE');
    expect(pool.ask('a', { cpu: 1 }, { idempotencyKey: 'k' })).toMatchObject({ kind: 'granted', replayed: true });
    trigger(pool, 'force.closed', null);
    expect(pool.refused('b', { cpu: 1 }).code).toBe('TIER_CLOSED');
  });

  it('spends probes on what causes an event alone: a refusal for whatever reason leaves them to others', () => {
    const pool = open();
    pool.when('Configure', {
      config: config({ quotas: { ann: { cpu: 1 } }, tiers: [{ ...ONE_TIER.tiers[0], queue: { maxLength: 1 } }] }),
      hash: 'x',
      source: 'patch',
      expectedRevision: null,
    });
    trigger(pool, 'openElapsed');
    for (let i = 0; i < 5; i++) {
      expect(pool.refused('never', { cpu: 10_001 }).code).toBe('NEVER_FITS');
      pool.when('CordonTier', { tier: 'main' });
      expect(pool.refused('closed', { cpu: 1 }).code).toBe('TIER_CLOSED');
      pool.when('UncordonTier', { tier: 'main' });
    }
    pool.granted('full', { cpu: 10_000 });
    for (let i = 0; i < 5; i++) expect(pool.refused('busy', { cpu: 1 }).code).toBe('EXHAUSTED');
    pool.queued('waits', { cpu: 1 });
    expect(pool.refused('more', { cpu: 1 }, { waitMs: 1 }).code).toBe('BREAKER_OPEN');
  });

  it('gets its probes back from an undo, and not those of an earlier generation', () => {
    const pool = open();
    trigger(pool, 'openElapsed');
    const journal = new Journal();
    const probe = (id: string) => pool.when('Allocate', { request: request(id, { amounts: { cpu: 1 } }) }, journal);
    probe('a');
    probe('b');
    expect(probe('c').answer).toMatchObject({ refusal: { code: 'BREAKER_OPEN' } });
    journal.undoTo(0);
    pool.gate.take(journal, pool.now);
    trigger(pool, 'probe.failed');
    trigger(pool, 'openElapsed');
    pool.gate.take(undefined, pool.now);
    pool.gate.take(undefined, pool.now);
    journal.undoTo(0);
    expect(pool.gate.ask(pool.now).admitted).toBe(false);
  });

  it('keeps the credit of the ramp for the next allocate when the one that had it is refused or undone', () => {
    const pool = open({ rampMs: 10_000 });
    trigger(pool, 'openElapsed');
    trigger(pool, 'probes.succeeded');
    pool.now += 4_000;
    while (!pool.gate.ask(pool.now).admitted) expect(pool.refused('early', { cpu: 1 }).code).toBe('BREAKER_OPEN');
    expect(pool.refused('never', { cpu: 10_001 }).code).toBe('NEVER_FITS');
    const journal = new Journal();
    pool.when('Allocate', { request: request('a', { amounts: { cpu: 1 } }) }, journal);
    journal.undoTo(0);
    expect(pool.ask('a', { cpu: 1 }).kind).toBe('granted');
    expect(pool.refused('b', { cpu: 1 }).code).toBe('BREAKER_OPEN');
  });

  it('ignores what an earlier generation saw', () => {
    const pool = open();
    const before = pool.gate.record.generation;
    trigger(pool, 'openElapsed');
    sample(pool, false, 1, before);
    expect(pool.gate.judge(pool.now)).toBeUndefined();
    expect(trigger(pool, 'probe.failed', before)).toEqual([]);
    expect(trigger(pool, 'probe.failed')).toEqual(['BreakerModeChanged']);
  });

  it('cannot get stuck half-open, and doubles the open time with each reopening up to its cap', () => {
    const pool = open({ maxOpenMs: 3_000 });
    const times: (number | null)[] = [];
    for (let i = 0; i < 3; i++) {
      trigger(pool, 'openElapsed');
      expect(trigger(pool, 'halfOpenElapsed')).toEqual(['BreakerModeChanged']);
      times.push((pool.gate.record.until ?? 0) - pool.now);
    }
    expect(times).toEqual([2_000, 3_000, 3_000]);
  });

  it('draws the open time within its jitter, and the event holds the drawn value', () => {
    const until = (draw: number) => {
      const pool = new Spec({ breaker: { ...BREAKER.breaker, jitterRatio: 0.2 } });
      trigger(pool, 'failures.high', null, draw);
      return (pool.state.breakers.get('w1')?.until ?? 0) - pool.now;
    };
    expect([until(0), until(0.5), until(0.999_999)]).toEqual([800, 1_000, 1_200]);
  });

  it('reopens traffic by a ramp', () => {
    const pool = open({ rampMs: 10_000 });
    trigger(pool, 'openElapsed');
    trigger(pool, 'probes.succeeded');
    const share = (at: number) => {
      let admitted = 0;
      for (let i = 0; i < 100; i++) {
        if (pool.gate.ask(at).admitted) {
          admitted += 1;
          pool.gate.take(undefined, at);
        } else pool.gate.turnAway(at);
      }
      return admitted;
    };
    expect(share(pool.now)).toBeCloseTo(10, -1);
    expect(share(pool.now + 5_000)).toBeCloseTo(50, -1);
    expect(share(pool.now + 10_000)).toBe(100);
  });

  it('answers the same however often it is asked, on a ramp too', () => {
    const pool = open({ rampMs: 10_000 });
    trigger(pool, 'openElapsed');
    trigger(pool, 'probes.succeeded');
    for (let i = 0; i < 100; i++) expect(pool.gate.ask(pool.now).admitted).toBe(false);
    pool.now += 10_000;
    expect(pool.gate.ask(pool.now).admitted).toBe(true);
    expect(pool.gate.ask(pool.now - 10_000).admitted).toBe(false);
  });

  it('closes after the probes that it began with, and climbs the ramp that it began, whatever is configured meanwhile', () => {
    const pool = open({ rampMs: 10_000 });
    trigger(pool, 'openElapsed');
    pool.gate.configure(config({ breaker: { ...BREAKER.breaker, halfOpenProbes: 7, rampMs: 10_000 } }));
    for (let i = 0; i < 2; i++) {
      pool.granted(`probe-${i}`, { cpu: 1 });
      sample(pool, true);
    }
    expect(pool.refused('third', { cpu: 1 }).code).toBe('BREAKER_OPEN');
    expect(pool.gate.judge(pool.now)).toBe('probes.succeeded');
    trigger(pool, 'probes.succeeded');
    pool.now += 10_000;
    pool.gate.configure(config({ breaker: { ...BREAKER.breaker, rampMs: 100_000 } }));
    pool.granted('after the ramp', { cpu: 1 });
    expect(pool.gate.ask(pool.now).admitted).toBe(true);
  });

  it('is set by hand, and has no edge to the mode it has', () => {
    const pool = new Spec(BREAKER);
    expect(trigger(pool, 'force.closed', null)).toEqual([]);
    trigger(pool, 'force.open', null);
    expect(pool.refused('a', { cpu: 1 }).code).toBe('BREAKER_OPEN');
    expect(trigger(pool, 'openElapsed')).toEqual([]);
    trigger(pool, 'force.disabled', null);
    pool.granted('a', { cpu: 1 });
  });

  it('does nothing when it is turned off', () => {
    const pool = new Spec({ ...BREAKER, enableCircuitBreaker: false });
    trigger(pool, 'failures.high');
    pool.granted('a', { cpu: 1 });
  });
});
