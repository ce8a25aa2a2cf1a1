import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { PoolError } from '../../src/model/errors.ts';
import type { AppendResult, EventStore } from '../../src/model/event-store.ts';
import { RepeatedFailure } from '../../src/model/repeated-failure.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import { world } from '../manager/fixture.ts';

const OUTAGE_MS = 60_000;
/** At 0, 10, 20 and 40 s, and the end. */
const LINES_OF_A_MINUTE = 5;

/** Said of every start. */
const READ = 'the log has been read';

interface Line {
  readonly fields: Record<string, unknown>;
  readonly message: string;
}

function recorder() {
  const lines: Line[] = [];
  const take = (fields: object, message: string) => {
    if (message !== READ) lines.push({ fields: fields as Line['fields'], message });
  };
  return { lines, logger: { debug() {}, info: take, warn: take, error: take } };
}

const stacks = (lines: readonly Line[]): number => lines.filter(({ fields }) => fields['err'] instanceof Error).length;

/** A store of which, while it is away, appends end as `how` says, and nothing can be read or listened to. */
function awayStore(how: AppendResult['outcome']) {
  const memory = new MemoryEventStore();
  const state = { isAway: false };
  const cause = new Error('it is away');
  const check = () => {
    if (state.isAway) throw new PoolError('LOG_UNAVAILABLE', 'it is away');
  };
  const store: EventStore = {
    traits: { ...memory.traits, durable: true, shared: true },
    snapshots: {
      save: async (stream, snapshot) => {
        check();
        return memory.snapshots.save(stream, snapshot);
      },
      load: (stream) => memory.snapshots.load(stream),
      delete: (stream) => memory.snapshots.delete(stream),
    },
    append: async (stream, events, expected) => {
      if (!state.isAway) return memory.append(stream, events, expected);
      if (how === 'conflict') return { outcome: 'conflict', revision: expected + 1 };
      return { outcome: how === 'unknown' ? 'unknown' : 'failed', retryable: true, cause } as AppendResult;
    },
    read: async function* (stream, options) {
      check();
      yield* memory.read(stream, options);
    },
    readAll: (options) => memory.readAll(options),
    subscribe: async function* (stream, options) {
      check();
      const lost = new AbortController();
      const watch = setInterval(() => state.isAway && lost.abort(), 1);
      const signal = AbortSignal.any([lost.signal, ...(options?.signal === undefined ? [] : [options.signal])]);
      try {
        yield* memory.subscribe(stream, { ...options, signal });
      } finally {
        clearInterval(watch);
      }
      check();
    },
    close: () => memory.close(),
  };
  return { store, state };
}

const ENDS = { unknown: 'outcome of an append', failed: 'append failed', conflict: 'tail of the log' } as const;

async function through(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 500) await clock.advanceAsync(500);
}

describe('an outage of a minute is some lines of log, each cause with one stack', () => {
  test.each(['unknown', 'failed', 'conflict'] as const)('where appends end %s', async (how) => {
    const clock = fakeClock();
    const { store, state } = awayStore(how);
    const { lines, logger } = recorder();
    const config = { overload: { pressureRatio: 1 }, enableCircuitBreaker: false };
    const { manager } = world({ store, clock, config, options: { logger } });
    await Promise.all([manager.ready(), clock.advanceAsync(100)]);
    await manager.allocate({ requirements: { memory: 90 } });
    await manager.tryAllocate({ requirements: { memory: 20 } });
    lines.length = 0;
    state.isAway = true;
    const asked = manager.allocate({ requirements: { memory: 1 } }).catch(() => undefined);
    await through(clock, OUTAGE_MS);
    state.isAway = false;
    await through(clock, 5_000);
    await asked;
    await Promise.all([manager.allocate({ requirements: { memory: 1 } }), clock.advanceAsync(1_000)]);
    const what = ({ message, fields }: Line) => `${message.replace(/^over: |, still$/g, '')} ${fields['stream'] ?? ''}`;
    const of = Map.groupBy(lines, what);
    for (const [message, those] of of) {
      expect([message, those.length <= LINES_OF_A_MINUTE, stacks(those) <= 1]).toEqual([message, true, true]);
    }
    const said = [...of.keys()].join();
    for (const cause of [ENDS[how], 'followed for now pool-default', 'followed for now pool-default-audit', 'refusals'])
      expect(said).toContain(cause);
    await Promise.all([manager.dispose(), clock.advanceAsync(5_000)]);
  });

  test('where a manager starts', async () => {
    const clock = fakeClock();
    const { store, state } = awayStore('failed');
    const { lines, logger } = recorder();
    state.isAway = true;
    const { manager } = world({ store, clock, options: { logger } });
    await through(clock, OUTAGE_MS);
    state.isAway = false;
    await Promise.all([manager.ready(), through(clock, 5_000)]);
    expect([lines.length, stacks(lines)]).toEqual([LINES_OF_A_MINUTE, 1]);
    await Promise.all([manager.dispose(), clock.advanceAsync(5_000)]);
  });

  test('where a health monitor of the user throws', async () => {
    const clock = fakeClock();
    const { lines, logger } = recorder();
    let broken = true;
    const healthMonitor = {
      checkResourceHealth: async () => ({ healthy: true, at: clock.now(), checks: [] }),
      alertResourceIssue: () => undefined,
      reportResourceMetrics: () => {
        if (broken) throw new Error('broken');
      },
    };
    const { manager } = world({ clock, options: { logger, healthMonitor }, tuning: { metricsIntervalMs: 100 } });
    await manager.ready();
    await through(clock, OUTAGE_MS);
    broken = false;
    await through(clock, 1_000);
    expect([lines.length, stacks(lines)]).toEqual([LINES_OF_A_MINUTE, 1]);
    await manager.dispose();
  });

  test('and each later one is told anew, with how often it failed and how long it lasted', () => {
    const { lines, logger } = recorder();
    let nowMs = 0;
    const failure = new RepeatedFailure({ logger, nowMs: () => nowMs, what: 'it fails', fields: { stream: 's' } });
    failure.ended();
    for (; nowMs < 25_000; nowMs += 1_000) failure.failed(new Error(`no ${nowMs}`), { revision: 7 });
    failure.ended();
    failure.failed('again');
    failure.ended();
    expect(lines).toEqual([
      { message: 'it fails', fields: { stream: 's', revision: 7, err: new Error('no 0') } },
      {
        message: 'it fails, still',
        fields: { stream: 's', revision: 7, failures: 11, forMs: 10_000, error: 'no 10000' },
      },
      {
        message: 'it fails, still',
        fields: { stream: 's', revision: 7, failures: 21, forMs: 20_000, error: 'no 20000' },
      },
      { message: 'over: it fails', fields: { stream: 's', failures: 25, forMs: 25_000 } },
      { message: 'it fails', fields: { stream: 's', err: 'again' } },
      { message: 'over: it fails', fields: { stream: 's', failures: 1, forMs: 0 } },
    ]);
  });
});
