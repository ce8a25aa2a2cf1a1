import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import { FaultyStore } from '../../src/testing/faulty-store.ts';
import { history, world } from '../manager/fixture.ts';
import { allUnique, shapesOf, uniform, ZIPF_TRACE, zipf } from './traces.ts';

const REQUESTS = fc.record(
  {
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    type: fc.constantFrom('memory', 'cpu'),
    priority: fc.constantFrom('high', 'low', 'no-such', 'constructor'),
    tier: fc.constantFrom('gold', 'base', 'gold|high'),
    owner: fc.constantFrom('ann', 'bob', '!'),
    requirements: fc.oneof(
      fc.record(
        { memory: fc.constantFrom(1, 40, '40Mi', '40', 0), cpu: fc.constantFrom(1, '1', 50) },
        { requiredKeys: [] },
      ),
      fc.constant({ 'memory:1|cpu': 1 }),
    ),
    minimum: fc.constantFrom({ memory: 1 }, { memory: 400 }),
    ttlMs: fc.constantFrom(1_000, 5_000, 99_999_999),
    waitMs: fc.constantFrom(0, 1_000),
    idempotencyKey: fc.constantFrom('k1', 'k2'),
    labels: fc.constant({ a: 'b' }),
    nonsense: fc.constant(1),
  },
  { requiredKeys: ['requirements'] },
);

const STEPS = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: REQUESTS.map((request) => ({ kind: 'allocate' as const, request })) },
    { weight: 3, arbitrary: fc.nat(30).map((n) => ({ kind: 'release' as const, n })) },
    { weight: 1, arbitrary: fc.constantFrom(50, 120).map((memory) => ({ kind: 'resize' as const, memory })) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 2_000 }).map((ms) => ({ kind: 'pass' as const, ms })) },
    { weight: 1, arbitrary: fc.constantFrom('gold', 'base').map((tier) => ({ kind: 'cordon' as const, tier })) },
    { weight: 1, arbitrary: fc.constantFrom('gold', 'base').map((tier) => ({ kind: 'uncordon' as const, tier })) },
    { weight: 2, arbitrary: fc.array(REQUESTS, { maxLength: 4 }).map((all) => ({ kind: 'burst' as const, all })) },
    { weight: 1, arbitrary: fc.constant({ kind: 'overtaken' as const }) },
  ),
  { maxLength: 60, size: 'max' },
);

const TIERS = [
  { name: 'gold', nominal: '60%', priorities: ['high'] },
  { name: 'base', nominal: '40%', priorities: ['low', 'normal'] },
];

/** What the steps leave in the log, and what callers are told; ids left out: they are each manager's own. */
async function run(
  steps: readonly (typeof STEPS extends fc.Arbitrary<infer T> ? T : never)[number][],
  cacheMaxSize: number,
) {
  const inner = new MemoryEventStore();
  const clock = fakeClock();
  const store = new FaultyStore(inner, { clock, random: () => 0.5, overtake: async () => [otherWriter(clock.now())] });
  const { manager } = world({
    store,
    clock,
    capacity: { memory: 100, cpu: 100 },
    config: { overload: { pressureRatio: 1 }, cacheMaxSize, tiers: TIERS },
  });
  await manager.ready();
  const leases: { id: string; token: number }[] = [];
  const refused: unknown[] = [];
  const submit = async (request: unknown) => {
    const asked = manager.submit(request, { detached: true });
    const answer = await asked.catch((error) => ({ kind: 'error' as const, error }));
    if (answer.kind === 'granted') leases.push(answer.lease);
    else if (answer.kind === 'refused') refused.push({ ...answer.refusal, decisionId: null });
    else if (answer.kind === 'error') refused.push(answer.error.message);
  };
  /** One conflict at a time: after several in a row a writer draws how long it waits. */
  let asked = 0;
  const overtake = () => {
    if (store.counts.overtaken < asked) return;
    asked += 1;
    store.next('overtaken');
  };
  for (const step of steps) {
    if (step.kind === 'allocate') await settled(clock, submit(step.request));
    else if (step.kind === 'burst') await settled(clock, Promise.all(step.all.map(submit)));
    else if (step.kind === 'overtaken') overtake();
    else if (step.kind === 'release') {
      const [lease] = leases.splice(step.n % Math.max(1, leases.length), 1);
      if (lease !== undefined) await settled(clock, manager.release(lease)).catch(() => undefined);
    } else if (step.kind === 'resize') {
      await settled(clock, manager.configure({ reserve: { memory: 100 - Math.min(100, step.memory) } }));
    } else if (step.kind === 'pass') await clock.advanceAsync(step.ms);
    else await settled(clock, step.kind === 'cordon' ? manager.cordon(step.tier) : manager.uncordon(step.tier));
  }
  await manager.dispose();
  const told = (await history(inner)).map(({ type, at, data }) => JSON.stringify([type, at, anonymous(data)]));
  return { told: told.filter((line) => !line.includes('"hash"')), refused };
}

/** After a conflict the manager may wait a little before it decides again. */
async function settled<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const ended = promise.finally(() => {
    done = true;
  });
  ended.catch(() => undefined);
  for (await clock.advanceAsync(0); !done; await clock.advanceAsync(1));
  return ended;
}

let others = 0;
const otherWriter = (at: number): NewEvent => {
  others += 1;
  const id = `00000000-0000-4000-8000-${others.toString(16).padStart(12, '0')}`;
  const metadata = { correlationId: id, causationId: id, actor: 'other' };
  const data = { writerId: 'other', hostId: 'h', version: '1' };
  return { id, type: 'WriterStarted', schemaVersion: 1, at, data, metadata };
};

const anonymous = (data: unknown): unknown =>
  JSON.parse(
    JSON.stringify(data, (name, value: unknown) => (name === 'leaseId' || isMade(name, value) ? 'id' : value)),
  );
const isMade = (name: string, value: unknown): boolean =>
  (name === 'id' || name === 'requestId') && typeof value === 'string' && value.length > 30;

describe('the shape cache', () => {
  test('on and off gives the same events and the same refusals', async () => {
    await fc.assert(
      fc.asyncProperty(STEPS, async (steps) => {
        const [on, off, tiny] = [await run(steps, 1_000), await run(steps, 0), await run(steps, 2)];
        expect(on.told).toEqual(off.told);
        expect(on.refused).toEqual(off.refused);
        expect(tiny.told).toEqual(off.told);
        expect(tiny.refused).toEqual(off.refused);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  test('serves more than 85 % of a trace of 200 shapes drawn by Zipf 1.0', async () => {
    const served = await ratioOf(ZIPF_TRACE);
    const others = {
      'uniform over ten times its size': await ratioOf(uniform(1_000)),
      'every request of a shape of its own': await ratioOf(allUnique()),
    };
    const percent = (ratio: number) => `${(ratio * 100).toFixed(1)} %`;
    console.log(`cache hits: ${percent(served)} of the Zipf trace`);
    for (const [name, ratio] of Object.entries(others)) console.log(`cache hits: ${percent(ratio)} (${name})`);
    expect(served).toBeGreaterThan(0.85);
    expect(others['every request of a shape of its own']).toBe(0);
  });

  test('counts a plan of another configuration as a miss', async () => {
    const { manager } = world();
    const ask = async () => manager.release(await manager.allocate({ requirements: { memory: 1 } }));
    await ask();
    await ask();
    await manager.configure({ maxPoolSize: 50 });
    await ask();
    expect((await manager.getMetrics()).cache).toMatchObject({ hits: 1, misses: 2, bypasses: 0 });
    await manager.dispose();
  });

  test('counts allocates alone: waiters that are woken need no plan', async () => {
    const { manager } = world({ capacity: { memory: 4 } });
    const full = await manager.allocate({ requirements: { memory: 4 } });
    const waiting = [manager.allocate({ requirements: { memory: 2 }, waitMs: 1_000 })];
    waiting.push(manager.allocate({ requirements: { memory: 2 }, waitMs: 1_000 }));
    await manager.renew(full);
    await manager.release(full);
    await Promise.all(waiting);
    expect((await manager.getMetrics()).cache).toMatchObject({ hits: 1, misses: 2, bypasses: 0 });
    await manager.dispose();
  });

  test('counts everything as a bypass when it is turned off', async () => {
    const { manager } = world({ config: { overload: { pressureRatio: 1 }, cacheMaxSize: 0 } });
    await manager.allocate({ requirements: { memory: 1 } });
    expect(await manager.getMetrics()).toMatchObject({ cacheHitRatio: 0, cache: { bypasses: 1, size: 0 } });
    await manager.dispose();
  });
});

async function ratioOf(trace: readonly number[]): Promise<number> {
  const { manager } = world({
    capacity: { memory: '1Ti', cpu: 100_000 },
    config: { overload: { pressureRatio: 1 }, cacheMaxSize: 100 * 10 },
  });
  for (const request of shapesOf(trace)) await manager.release(await manager.allocate(request));
  const { cacheHitRatio } = await manager.getMetrics();
  await manager.dispose();
  return cacheHitRatio!;
}

test('the committed trace is what its generator makes', () => {
  expect(zipf(200, 10_000, 20261124)).toEqual(ZIPF_TRACE);
});

describe('a request with what cannot become a text', () => {
  const odd = { toString: '' };

  test.each([
    [{ requirements: [odd] }],
    [{ requirements: { memory: odd } }],
    [{ requirements: { memory: 1 }, minimum: { memory: odd } }],
    [{ requirements: { memory: 1 }, minimum: { memory: 1n } }],
    [{ requirements: { memory: 1 }, tier: odd }],
    [{ requirements: { memory: 1 }, priority: Symbol('high') }],
    [{ requirements: { memory: 1 }, ttlMs: Object.create(null) }],
  ])('is wrong, and no bug: %#', async (request) => {
    const { manager } = world({});
    await expect(manager.allocate(request as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
