import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KNOWN_BREAKERS } from '../../src/domain/evolve/breakers.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { createLiveActors, type LiveActors } from '../../src/machines/live/actors.ts';
import type { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { BreakerMode } from '../../src/model/modes.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import { history, world } from './fixture.ts';

const STEP = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 70 }).map((memory) => ({ kind: 'allocate' as const, memory })) },
  { weight: 3, arbitrary: fc.nat(9).map((n) => ({ kind: 'release' as const, n })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('cordon' as const, 'uncordon' as const, 'drain' as const)
      .map((kind) => ({ kind, tier: 'all' })),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<BreakerMode>('closed', 'forcedOpen', 'disabled', 'metricsOnly')
      .map((mode) => ({ kind: 'breaker' as const, mode })),
  },
  { weight: 2, arbitrary: fc.boolean().map((healthy) => ({ kind: 'health' as const, healthy })) },
  { weight: 2, arbitrary: fc.constantFrom(40, 100, 150).map((memory) => ({ kind: 'capacity' as const, memory })) },
  { weight: 4, arbitrary: fc.constantFrom(10, 600, 1_200, 5_000).map((ms) => ({ kind: 'pass' as const, ms })) },
);
type Step = typeof STEP extends fc.Arbitrary<infer T> ? T : never;

interface Scene {
  readonly manager: ResourcePoolManager;
  readonly clock: FakeClock;
  readonly health: { healthy: boolean };
  readonly leases: { id: string; token: number }[];
}

async function act({ manager, clock, health, leases }: Scene, step: Step): Promise<void> {
  if (step.kind === 'allocate') {
    const tried = await manager.tryAllocate({ requirements: { memory: step.memory }, ttlMs: 3_000 });
    if ('granted' in tried) leases.push(tried.granted);
  } else if (step.kind === 'release') {
    const [lease] = leases.splice(step.n % Math.max(1, leases.length), 1);
    if (lease !== undefined) await manager.release(lease).catch(() => undefined);
  } else if (step.kind === 'breaker') await manager.setBreaker(step.mode);
  else if (step.kind === 'health') health.healthy = step.healthy;
  else if (step.kind === 'capacity') await manager.configure({ reserve: { memory: Math.max(0, 150 - step.memory) } });
  else if (step.kind === 'pass') await clock.advanceAsync(step.ms);
  else if (step.kind === 'drain') await manager.drainTier(step.tier, 2_000);
  else await manager[step.kind](step.tier);
}

test("the live actors' state is the folded mode after every committed event", async () => {
  const reached = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(STEP, { minLength: 10, maxLength: 60, size: 'max' }), async (steps) => {
      let live: LiveActors | undefined;
      const clock = fakeClock();
      const health = { healthy: true };
      const { manager } = world({
        clock,
        capacity: { memory: 150 },
        config: {
          overload: { pressureRatio: 1 },
          breaker: { minimumCalls: 1, openMs: 1_000, halfOpenMs: 1_000, halfOpenProbes: 2 },
        },
        tuning: { healthIntervalMs: 500, liveActors: (options) => (live = createLiveActors(options)) },
        options: {
          healthMonitor: {
            checkResourceHealth: async () => ({ ...health, at: clock.now(), checks: [] }),
            reportResourceMetrics: () => undefined,
            alertResourceIssue: () => undefined,
          },
        },
      });
      await manager.ready();
      const scene = { manager, clock, health, leases: [] };
      for (const step of steps) {
        await act(scene, step);
        const { tiers, breaker } = await manager.getPool();
        const modes = live!.modes();
        expect(modes.breaker).toBe(breaker.mode);
        for (const { name, admission, load } of tiers) {
          expect(modes.tiers.get(name)).toEqual({ admission, load });
          reached.add(admission).add(load);
        }
        reached.add(`breaker ${breaker.mode}`);
      }
      await manager.dispose();
    }),
    { numRuns: 60 },
  );
  console.log(`modes reached: ${[...reached].sort().join(', ')}`);
  expect(reached.size).toBeGreaterThanOrEqual(12); // of 14
}, 60_000);

test('a breaker of which the log knows no more goes on in the generation that it has here, by hand, too', async () => {
  const [store, clock] = [new MemoryEventStore(), fakeClock()];
  const { manager } = world({ store, clock });
  await manager.ready();
  for (const mode of ['forcedOpen', 'disabled', 'closed'] as const) await manager.setBreaker(mode);
  for (let i = 0; i < KNOWN_BREAKERS; i++) {
    const other = world({ store, clock, options: { writerId: `other-${i}` } }).manager;
    await other.ready();
    await other.setBreaker('forcedOpen');
    await other.dispose();
  }
  for (const mode of ['forcedOpen', 'closed'] as const) await manager.setBreaker(mode);
  await manager.dispose();
  const changes = (await history(store)).flatMap((event) =>
    event.type === 'BreakerModeChanged' && event.data.writerId === 'writer-1' ? [event.data.generation] : [],
  );
  expect(changes).toEqual([1, 2, 3, 4, 5]);
});
