import { DEFAULT_POOL_CONFIG } from '../../src/model/config/config.ts';
import { APPEND_FAULTS, type Fault, type FaultRates, READ_FAULTS } from '../../src/testing/index.ts';
import { SMALL_TIERS } from '../support/small-tiers.ts';
import type { Random } from './random.ts';

/** What one world is like. Drawn from its seed: each world suffers some faults much and others not at all. */
export interface Profile {
  readonly members: number;
  readonly rates: FaultRates;
  /** Round trip to the store at most, ms; 0 = it answers at once. */
  readonly latencyMs: number;
  /** Snapshots are written, and commands wait for the event loop to go round. */
  readonly durable: boolean;
  /** Members keep their name over a restart. */
  readonly stableNames: boolean;
  /** Events are shared as objects, not copied. */
  readonly sharesEvents: boolean;
  /** How likely a step is to bring a fault of clocks, processes or connections. */
  readonly chaos: number;
  /** As a user writes it. */
  readonly config: { readonly tiers: readonly { readonly name: string; readonly nominal: string }[] } & Readonly<
    Record<string, unknown>
  >;
}

const ALL = { name: 'all', nominal: '100%', queue: { maxLength: 8 } };

export function drawProfile(random: Random): Profile {
  const stormy = random.next() * 0.2;
  const rates: Partial<Record<Fault, number>> = {};
  for (const fault of APPEND_FAULTS) if (random.chance(0.6)) rates[fault] = random.next() * stormy;
  for (const fault of READ_FAULTS)
    if (random.chance(0.6)) rates[fault] = random.next() * stormy * (fault === 'readBreaks' ? 0.5 : 2);
  return {
    members: random.pick([1, 2, 2, 3, 3]),
    rates,
    latencyMs: random.chance(0.5) ? 0 : random.between(1, 20),
    durable: random.chance(0.25),
    stableNames: random.chance(0.5),
    sharesEvents: random.chance(0.8),
    chaos: random.next() * 0.4,
    config: drawConfig(random),
  };
}

const drawConfig = (random: Random): Profile['config'] => ({
  ...DEFAULT_POOL_CONFIG,
  maxPoolSize: random.between(4, 30),
  minPoolSize: 1,
  cleanupIntervalMs: random.between(1_000, 30_000),
  resourceTimeoutMs: 5_000,
  cacheMaxSize: random.chance(0.5) ? 100 : 0,
  enableCircuitBreaker: random.chance(0.5),
  breaker: { windowCount: 20, minimumCalls: 4, openMs: 1_000, maxOpenMs: 10_000, slowCallMs: 500, halfOpenProbes: 2 },
  tiers: random.chance(0.8) ? SMALL_TIERS : [ALL],
  quotas: random.chance(0.3) ? { ann: { cpu: '40%' } } : {},
  leases: { minTtlMs: 100, graceMs: 1_000, quarantineMs: random.chance(0.3) ? 700 : 0 },
  load: { dwellMs: 50, sampleMs: 500 },
  reserve: '0%',
  overload: { mailboxLimit: random.between(8, 200), pressureRatio: 1 },
  idempotency: { maxEntries: random.between(20, 500), retentionMs: 60_000 },
});
