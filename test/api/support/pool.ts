import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RunningServer, ServerOptions } from '../../../src/api/server.ts';
import { createResourceDetector } from '../../../src/detection/detector.ts';
import { MemoryEventStore } from '../../../src/eventstore/memory/store.ts';
import { openEventStore } from '../../../src/eventstore/open.ts';
import type { ManagerOptions } from '../../../src/manager/options.ts';
import { ResourcePoolManager } from '../../../src/manager/pool-manager.ts';
import type { PoolService } from '../../../src/manager/service.ts';
import type { PoolConfig } from '../../../src/model/config/config.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import type { Requirements } from '../../../src/model/values/amounts.ts';
import { LogReader } from '../../../src/reading/log-reader.ts';
import { afterThisTest } from '../../support/clean-up.ts';
import { serve } from './serve.ts';

export const MiB = 1024 * 1024;

export type StoreKind = 'memory:' | 'sqlite:';
export const STORES: readonly StoreKind[] = ['memory:', 'sqlite:'];

export interface PoolSetup {
  /** Default: a new one in memory. */
  readonly store?: EventStore | StoreKind;
  /** Declared, so that every machine tells the same; default 100 MiB of memory and 4 cores. */
  readonly capacity?: Requirements;
  /** Over: one tier that owns everything, nothing reserved. */
  readonly config?: Partial<PoolConfig>;
  readonly options?: Partial<ManagerOptions>;
}

export interface OpenPool {
  readonly manager: ResourcePoolManager;
  /** What is in the log, read beside the manager. */
  readonly log: LogReader;
  /** Of the store. */
  readonly storeUrl: string;
}

export interface ServedPool extends OpenPool {
  readonly url: string;
  readonly server: RunningServer;
}

function newFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rpm-api-'));
  afterThisTest(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'pool.db');
}

/** A real manager on real stores and clocks, disposed after the test. */
export async function openPool({ store, capacity, config, options }: PoolSetup = {}): Promise<OpenPool> {
  const detector = createResourceDetector({ capacity: capacity ?? { memory: 100, cpu: 400 } });
  const eventStore =
    store === 'sqlite:' ? `sqlite:${newFile()}` : store === 'memory:' || !store ? new MemoryEventStore() : store;
  const manager = new ResourcePoolManager(
    detector,
    {
      reserve: '0%',
      tiers: [{ name: 'all', nominal: '100%', priorities: ['critical', 'high', 'normal', 'low'] }],
      overload: { pressureRatio: 1 }, // this machine's own load decides nothing here
      ...config,
    },
    { eventStore, ...options, tuning: { healthIntervalMs: 0, metricsIntervalMs: 0, ...options?.tuning } },
  );
  afterThisTest(() => manager.dispose());
  await manager.ready();
  const read = typeof eventStore === 'string' ? await openEventStore(eventStore, { readOnly: true }) : eventStore;
  if (typeof eventStore === 'string') afterThisTest(() => read.close());
  return { manager, log: new LogReader(read, manager.poolId), storeUrl: read.traits.url };
}

/** The same, answering over HTTP on a free port. */
export async function servePool(setup: PoolSetup & { readonly server?: ServerOptions } = {}): Promise<ServedPool> {
  const pool = await openPool(setup);
  const server = await serve(pool.manager, setup.server);
  return { ...pool, server, url: server.url };
}

/** The service with some of its methods replaced: for faults that no real part can be brought to, and to see what is called. */
export function withOwn(service: PoolService, own: Partial<PoolService>): PoolService {
  return new Proxy(service, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return own[name as keyof PoolService];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

export interface SeenCall {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** The service, and every call of it as it comes in. */
export function observed(service: PoolService): { readonly service: PoolService; readonly calls: SeenCall[] } {
  const calls: SeenCall[] = [];
  const proxy = new Proxy(service, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        calls.push({ name: String(name), args });
        return value.apply(target, args) as unknown;
      };
    },
  });
  return { service: proxy, calls };
}

/** All that a request could change: the log, the state it makes, and the mode of the breaker, which is in force before it is recorded. */
export async function everything({ manager, log }: OpenPool): Promise<unknown> {
  const { revision, sha256 } = await log.replay();
  const refusals = (await manager.pageRefusals({}, { limit: 1000 })).items.length;
  return {
    revision,
    sha256,
    refusals,
    breaker: (await manager.getPool()).breaker,
    config: (await manager.getConfig()).hash,
  };
}
