import { createResourceDetector } from '../../src/detection/detector.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { ManagerOptions, Tuning } from '../../src/manager/options.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { PoolConfig } from '../../src/model/config/config.ts';
import type { EventStore } from '../../src/model/event-store.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { ResourceDetector, ResourceIssue } from '../../src/model/interfaces.ts';
import type { Requirements } from '../../src/model/values/amounts.ts';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';

export const MiB = 1024 * 1024;

/** This machine's own pressure must decide nothing here. */
const CALM = { overload: { pressureRatio: 1 } } as const;

export interface Setup {
  readonly store?: EventStore;
  readonly clock?: FakeClock;
  readonly capacity?: Requirements;
  readonly config?: Partial<PoolConfig>;
  readonly options?: ManagerOptions;
  readonly tuning?: Partial<Tuning>;
}

export interface World {
  readonly manager: ResourcePoolManager;
  readonly clock: FakeClock;
  readonly store: EventStore;
  readonly issues: ResourceIssue[];
  readonly detector: ResourceDetector;
}

/** One manager over a store in memory, on a clock that moves when told; one tier that owns everything unless `config` says more. */
export function world(setup: Setup = {}): World {
  const clock = setup.clock ?? fakeClock();
  const store = setup.store ?? new MemoryEventStore();
  const issues: ResourceIssue[] = [];
  const detector = createResourceDetector({ capacity: setup.capacity ?? { memory: 100 }, clock });
  const config = { ...CALM, reserve: '0%', tiers: [{ name: 'all', nominal: '100%' }], ...setup.config };
  const manager = new ResourcePoolManager(detector, config, {
    eventStore: store,
    writerId: 'writer-1',
    clock,
    healthMonitor: {
      checkResourceHealth: async () => ({ healthy: true, at: clock.now(), checks: [] }),
      reportResourceMetrics: () => undefined,
      alertResourceIssue: (issue) => void issues.push(issue),
    },
    ...setup.options,
    tuning: { healthIntervalMs: 0, metricsIntervalMs: 0, ...setup.tuning },
  });
  return { manager, clock, store, issues, detector };
}

export async function history(store: EventStore, stream = 'pool-default'): Promise<RecordedPoolEvent[]> {
  const events: RecordedPoolEvent[] = [];
  for await (const page of store.read(stream)) events.push(...(page as RecordedPoolEvent[]));
  return events;
}

export const typesOf = (events: readonly { readonly type: string }[]): string[] => events.map((event) => event.type);

/** The error that a promise rejects with; fails if it resolves. */
export async function rejection(
  promise: Promise<unknown>,
): Promise<{ code: string; details: Record<string, unknown> }> {
  try {
    await promise;
  } catch (error) {
    return error as { code: string; details: Record<string, unknown> };
  }
  throw new Error('it resolved');
}
