import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { AppendResult } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { checkLog } from '../../src/testing/check-log.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { history, world } from '../manager/fixture.ts';

/** The store in memory, whose answers come when the scheduler says; now and then the answer is lost. */
class ScheduledStore extends MemoryEventStore {
  readonly scheduler: fc.Scheduler;
  readonly lose: () => boolean;
  started = false;

  constructor(scheduler: fc.Scheduler, lose: () => boolean) {
    super();
    this.scheduler = scheduler;
    this.lose = lose;
  }

  override append(stream: string, events: readonly NewEvent[], expected: number): AppendResult {
    if (!this.started || stream !== 'pool-default') return super.append(stream, events, expected);
    return this.#later(stream, events, expected) as unknown as AppendResult;
  }

  async #later(stream: string, events: readonly NewEvent[], expected: number): Promise<AppendResult> {
    await this.scheduler.schedule(Promise.resolve(), 'append arrives');
    const result = super.append(stream, events.map(plain), expected);
    await this.scheduler.schedule(Promise.resolve(), 'answer arrives');
    return this.lose() ? { outcome: 'unknown', cause: new Error('reset') } : result;
  }
}

function plain({ id, type, schemaVersion, at, data, metadata }: NewEvent): NewEvent {
  return structuredClone({ id, type, schemaVersion, at, data, metadata });
}

type Step =
  | { kind: 'allocate'; memory: number; waitMs: number; ttlMs: number }
  | { kind: 'release' | 'renew'; n: number }
  | { kind: 'pass'; ms: number }
  | { kind: 'abort'; n: number };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('allocate' as const),
      memory: fc.integer({ min: 1, max: 60 }),
      waitMs: fc.constantFrom(0, 500, 5_000),
      ttlMs: fc.constantFrom(200, 1_000, 60_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'renew' as const), n: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 150, 400, 1_100) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort' as const), n: fc.nat(20) }) },
);

const STEPS = fc.array(STEP, { minLength: 5, maxLength: 40, size: 'max' });

/** What a caller was promised: it must stand in the log. */
interface Promised {
  readonly id: string;
  readonly token: number;
}

async function race(scheduler: fc.Scheduler, steps: readonly Step[], losses: readonly boolean[]): Promise<number> {
  let lost = 0;
  const store = new ScheduledStore(scheduler, () => losses[lost++ % losses.length]!);
  const clock = fakeClock();
  const { manager } = world({ store, clock, config: { overload: { pressureRatio: 1 }, enableCircuitBreaker: false } });
  await manager.ready();
  store.started = true;
  const promised: Promised[] = [];
  const signals: AbortController[] = [];
  const calls: Promise<unknown>[] = [];
  for (const step of steps) calls.push(...start(manager, step, promised, signals));
  const play = scheduler.scheduleSequence(
    steps.map((step, i) => ({
      label: step.kind,
      builder: async () => {
        if (step.kind === 'pass') clock.advance(step.ms);
        else if (step.kind === 'abort') signals[step.n % Math.max(1, signals.length)]?.abort(new Error(`step ${i}`));
        else if (step.kind !== 'allocate') calls.push(...touch(manager, step, promised));
      },
    })),
  );
  await scheduler.waitFor(play.task);
  await finish(scheduler, manager, calls, clock);
  await check(manager, store, promised);
  return steps.length;
}

function start(
  manager: ResourcePoolManager,
  step: Step,
  promised: Promised[],
  signals: AbortController[],
): Promise<unknown>[] {
  if (step.kind !== 'allocate') return [];
  const stop = new AbortController();
  signals.push(stop);
  const { memory, waitMs, ttlMs } = step;
  const asked = manager.allocate({ requirements: { memory }, waitMs, ttlMs, signal: stop.signal });
  return [asked.then(({ id, token }) => promised.push({ id, token })).catch(() => undefined)];
}

function touch(
  manager: ResourcePoolManager,
  step: { kind: string; n: number },
  promised: readonly Promised[],
): Promise<unknown>[] {
  const lease = promised[step.n % Math.max(1, promised.length)];
  if (lease === undefined) return [];
  const done = step.kind === 'release' ? manager.release(lease) : manager.renew(lease);
  return [Promise.resolve(done).catch(() => undefined)];
}

async function finish(
  scheduler: fc.Scheduler,
  manager: ResourcePoolManager,
  calls: readonly Promise<unknown>[],
  clock: ReturnType<typeof fakeClock>,
) {
  let done = false;
  const ended = Promise.all(calls)
    .then(() => manager.dispose())
    .then(() => {
      done = true;
    });
  for (let round = 0; !done && round < 2_000; round++) {
    while (scheduler.count() > 0) await scheduler.waitOne();
    await clock.advanceAsync(25);
  }
  expect(done).toBe(true);
  await ended;
}

async function check(
  manager: ResourcePoolManager,
  store: MemoryEventStore,
  promised: readonly Promised[],
): Promise<void> {
  const log = await history(store);
  const folded = checkLog(log);
  const granted = new Map(
    log.flatMap((event) => (event.type === 'LeaseGranted' ? [[event.data.leaseId, event.data.token]] : [])),
  );
  for (const { id, token } of promised) expect(granted.get(id)).toBe(token);
  expect(new Set(promised.map(({ token }) => token)).size).toBe(promised.length);
  expect(folded.waiting.size).toBe(0);
  expect(manager.status().state).toBe('closed');
}

test('allocate, release, renew, abort and expiry in any order, over a store whose answers come late or get lost', async () => {
  let executed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      STEPS,
      fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }).filter((l) => l.includes(false)),
      async (scheduler, steps, losses) => {
        executed += await race(scheduler, steps, losses);
      },
    ),
    { numRuns: Number(process.env['RPM_RACES'] ?? 150) },
  );
  console.log(`races: ${executed} steps executed`);
}, 120_000);
