import { describe, expect, it } from 'vitest';
import { EVENTS_AT_ONCE } from '../../src/domain/decide/decision.ts';
import { type Decided, decide } from '../../src/domain/decide.ts';
import { Journal } from '../../src/domain/ledger/journal.ts';
import { requestView, tierView } from '../../src/domain/views.ts';
import type { CommandData, CommandType } from '../../src/model/commands.ts';
import { ONE_TIER, request, Spec } from './spec.ts';

const [FEW, MANY] = [200, 2_000];
/** Reads that may be added when there are ten times as many: those of some searches in trees. One look at each would be 1 800. */
const ALLOWED = 200;

const QUEUE = { policy: 'bestEffort', maxLength: 100_000, maxWaitMs: 3_600_000, ageingMs: 1_000 };
const ROOMY = {
  maxPoolSize: 100_000,
  tiers: [
    { ...ONE_TIER.tiers[0], queue: QUEUE },
    { name: 'spare', nominal: '0%' },
  ],
};

/** A pool whose records of leases and waiters count how often they are read, whoever reads them. */
class Counted {
  readonly pool = new Spec(ROOMY, { cpu: 100_000 });
  readonly journal = new Journal();
  reads = 0;

  decide<T extends CommandType>(type: T, data: CommandData[T], journal?: Journal): Decided {
    const { state, context } = this.pool;
    return decide(state, this.pool.command(type, data), context, journal);
  }

  /** `count` leases that run out one after another. */
  hold(count: number): this {
    for (let i = 0; i < count; i++) {
      this.pool.now += 1;
      this.decide('Allocate', { request: request(`l${i}`, { amounts: { cpu: 1 }, owner: `o${i}` }) });
    }
    return this;
  }

  /** `count` requests for more than is free. */
  queue(count: number): this {
    this.decide('Allocate', { request: request('all', { amounts: { cpu: 90_000 } }) });
    for (let i = 0; i < count; i++)
      this.decide('Allocate', { request: request(`w${i}`, { amounts: { cpu: 50_000 }, waitMs: 60_000 }) });
    return this;
  }

  /** How often a record is read for `act`, once it was done and undone before. */
  readsOf(act: (counted: this) => unknown): number {
    const { leases, waiting } = this.pool.state;
    this.#once(act);
    for (const lease of leases.values()) this.#count(lease, 'expiresAt', 'token', 'terms');
    for (const waiter of waiting.values()) this.#count(waiter, 'revision', 'queuedAt', 'request', 'leaseId');
    this.reads = 0;
    this.#once(act);
    return this.reads;
  }

  #once(act: (counted: this) => unknown): void {
    act(this);
    this.journal.undoTo(0);
  }

  #count(record: object, ...names: readonly string[]): void {
    for (const name of names) {
      let value = (record as Record<string, unknown>)[name];
      const get = () => {
        this.reads += 1;
        return value;
      };
      const set = (next: unknown) => {
        value = next;
      };
      Object.defineProperty(record, name, { get, set, configurable: true, enumerable: true });
    }
  }
}

type Act = (counted: Counted) => unknown;
const run =
  <T extends CommandType>(type: T, data: CommandData[T] | ((counted: Counted) => CommandData[T])): Act =>
  (counted) =>
    counted.decide(type, typeof data === 'function' ? data(counted) : data, counted.journal);
const ask = (cpu: number, waitMs = 0): Act =>
  run('Allocate', { request: request('new', { amounts: { cpu }, waitMs }) });
const held = (name: string) => (counted: Counted) => {
  const { leaseId, token } = counted.pool.lease(name);
  return { leaseId, token, cause: 'holder', ttlMs: 30_000, reason: null, graceMs: 1_000 } as const;
};
const waiting = (name: string) => (counted: Counted) => {
  const { state } = counted.pool;
  return state.waiting.get(state.names.get(name)!)!;
};
const configure = (patch: object): Act =>
  run('Configure', ({ pool: { state } }) => ({
    config: { ...state.config, ...patch },
    hash: 'other',
    source: 'start',
    expectedRevision: null,
  }));

const ANY: readonly (readonly [string, Act])[] = [
  ['a grant', ask(1)],
  ['a refusal', ask(99_999)],
  ['a refusal after the soonest lease ended', (counted) => [run('Release', held('l0'))(counted), ask(99_999)(counted)]],
  [
    'a request that waits, as it is shown',
    (counted) => {
      ask(99_999, 60_000)(counted);
      requestView(counted.pool.state, waiting('new')(counted));
    },
  ],
  ['a request that waits and is cancelled', (c) => [ask(99_999, 60_000)(c), run('Cancel', { requestId: 'new' })(c)]],
  ['a release', run('Release', held('l5'))],
  ['a renewal', run('Renew', held('l5'))],
  ['a revocation', run('Revoke', held('l5'))],
  ['a cordon', run('CordonTier', { tier: 'main' })],
  ['a sweep', run('Sweep', {})],
  ['a change of the configuration', configure({ cleanupIntervalMs: 12_345 })],
  ['a new quota', configure({ quotas: { o7: { cpu: 5 } } })],
  ['a change of health', run('ObserveHealth', { healthy: false, failing: ['x'] })],
  ['the state of a tier', ({ pool: { state } }) => tierView(state, state.tiers[0]!)],
];

const WAITERS: readonly (readonly [string, Act])[] = [
  ['a waiter in the midst that is shown', (c) => requestView(c.pool.state, waiting('w99')(c))],
  ['a waiter in the midst that is cancelled', run('Cancel', { requestId: 'w99' })],
  ['a waiter that expires', run('ExpireRequests', (c) => ({ leaseIds: [waiting('w3')(c).leaseId] }))],
  [
    'a caller that has gone',
    run('CancelOrphans', (c) => ({ leaseIds: [waiting('w3')(c).leaseId], reason: 'callerGone' })),
  ],
  ['a tier that goes', ({ pool: { state } }) => configure({ tiers: state.config.tiers.slice(0, 1) })],
];

/** After a change of the configuration those who wait are looked at for those without hope, 1 024 at a time. */
const NOT_IN_PARTS = ANY.filter(([what]) => what !== 'a change of the configuration' && what !== 'a new quota');

describe('what a command looks at does not grow with', () => {
  it.each(ANY)('the leases: %s', (_, act) => {
    const [few, many] = [FEW, MANY].map((count) => new Counted().hold(count).readsOf(act));
    expect(many).toBeLessThan(few! + ALLOWED);
  });

  it.each([...NOT_IN_PARTS, ...WAITERS])('those who wait: %s', (_, act) => {
    const [few, many] = [FEW, MANY].map((count) => new Counted().hold(10).queue(count).readsOf(act));
    expect(many).toBeLessThan(few! + ALLOWED);
  });

  it('those who wait: another ageing, beside the part that is looked at for those without hope', () => {
    const tiers = ROOMY.tiers.map((tier) => ({ ...tier, queue: { ...QUEUE, ageingMs: 999 } }));
    const act: Act = (counted) =>
      configure({ tiers: counted.pool.state.config.tiers.map((tier, i) => ({ ...tier, ...tiers[i] })) })(counted);
    const [few, many] = [MANY, 2 * MANY].map((count) => new Counted().hold(10).queue(count).readsOf(act));
    expect(many).toBeLessThan(few! + ALLOWED);
  });

  it('leases: a part of a drain, which goes on where the part before it ended', () => {
    const counted = new Counted().hold(MANY);
    counted.decide('DrainTier', { tier: 'main', deadlineMs: 0 });
    const deadlineAt = counted.pool.state.tiers[0]!.deadlineAt!;
    const parts: number[] = [];
    let next: CommandData['EndTierDrain'] | undefined = { tier: 'main', deadlineAt };
    while (next !== undefined) {
      const data: CommandData['EndTierDrain'] = next;
      parts.push(counted.readsOf(run('EndTierDrain', data)));
      next = counted.decide('EndTierDrain', data).more[0]?.data as typeof next;
    }
    expect(parts).toHaveLength(Math.ceil(MANY / EVENTS_AT_ONCE));
    expect(Math.max(...parts)).toBeLessThan(40 * EVENTS_AT_ONCE); // some for each lease that a part ends, and none for the others
  });
});
