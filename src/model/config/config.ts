import type { Requirements } from '../values/amounts.ts';

/** '50%' of every dimension of what is allocatable, or amounts by dimension (each plain, with unit, or a percentage string of allocatable for non-cpu). */
export type Share = string | Requirements;

export interface TierConfig {
  readonly name: string;
  /** The priority classes that this tier serves. */
  readonly priorities: readonly string[];
  /**
   * What is the tier's own. Percentages floor; what remains goes to the first tier. Where the nominals of all come to more than is
   * allocatable, as when the capacity falls, they are kept in the order of the tiers and the later ones cut.
   */
  readonly nominal: Share;
  /** The most it may hold above nominal; null = unlimited, 0 = none. */
  readonly borrowingLimit: Share | 0 | null;
  /** The most of its unused nominal that others may hold; null = unlimited, 0 = none. */
  readonly lendingLimit: Share | 0 | null;
  readonly queue: QueueConfig;
  /** Whether a higher priority may displace a lower one. Only 'off' exists yet. */
  readonly preemption: 'off';
}

export interface QueueConfig {
  readonly policy: 'strict' | 'bestEffort';
  readonly maxLength: number;
  readonly maxWaitMs: number;
  /** A waiter gains one point of priority each `ageingMs`. */
  readonly ageingMs: number;
}

export interface LeasesConfig {
  readonly minTtlMs: number;
  readonly maxTtlMs: number;
  /** How long the capacity of a lease that expired or was revoked is kept back before it is granted again. */
  readonly quarantineMs: number;
  /** Between the notice and the end of a lease that is revoked. */
  readonly graceMs: number;
}

/** Breaker of the kind of resilience4j: count and time windows, failure and slow-call rates, minimum volume, half-open probes. */
export interface BreakerConfig {
  readonly windowCount: number;
  readonly windowMs: number;
  readonly minimumCalls: number;
  readonly failureRatio: number;
  readonly slowRatio: number;
  /** An append that takes longer is slow. */
  readonly slowCallMs: number;
  readonly openMs: number;
  /** The open time doubles with each reopening, up to this. */
  readonly maxOpenMs: number;
  /** The drawn open time lies within +- this share of it. */
  readonly jitterRatio: number;
  readonly halfOpenProbes: number;
  /** A half-open breaker whose probes have not settled by then reopens. */
  readonly halfOpenMs: number;
  /** After closing, the share of allocates let through grows from the probes' to all over this time; 0 = at once. */
  readonly rampMs: number;
}

/** When a tier counts as pressured or saturated: allocated / nominal, the highest over the dimensions. */
export interface LoadConfig {
  readonly pressuredRatio: number;
  readonly saturatedRatio: number;
  /** A ratio below this returns the tier to normal; the gap to `pressuredRatio` is the hysteresis. */
  readonly normalRatio: number;
  /** Load is judged at most once in this time. */
  readonly dwellMs: number;
  /** How often a pressured tier samples. */
  readonly sampleMs: number;
}

export interface DetectionConfig {
  /** Declares the capacity instead of detecting it. */
  readonly capacity: Requirements | null;
  readonly sampleIntervalMs: number;
  /** A change of capacity is taken over when it is larger than this share and stays for `stableSamples` samples. */
  readonly hysteresisRatio: number;
  readonly stableSamples: number;
}

export interface OverloadConfig {
  /** Commands that may wait to be decided; more are answered OVERLOADED. */
  readonly mailboxLimit: number;
  /** PSI avg10 of memory or io, 0..1, above which the machine counts as overloaded. Cpu pressure alone never does. */
  readonly pressureRatio: number;
  /** How many samples in a row must say so. */
  readonly samples: number;
  /** Bytes of answers that readers have not taken yet, in all; beyond it new ones are answered RATE_LIMITED. */
  readonly readerBytes: number;
  /** Reads of the log that may run at once; more are answered RATE_LIMITED, streams wait for their turn. */
  readonly longReads: number;
}

export interface IdempotencyConfig {
  /** How long ended leases and keys stay answerable; beside it they are bounded in bytes (`domain/ledger/ended-leases.ts`, `evolve/keys.ts`). */
  readonly retentionMs: number;
  readonly maxEntries: number;
}

/** The user's six fields, and the optional sections. All durations in ms. */
export interface PoolConfig {
  /** The most live leases at once. */
  readonly maxPoolSize: number;
  /** The floor below which adaptive sizing never pushes that limit. */
  readonly minPoolSize: number;
  /** The backstop sweep; leases end by deadline, not by sweep. */
  readonly cleanupIntervalMs: number;
  /** Default lease TTL. */
  readonly resourceTimeoutMs: number;
  /** Entries of the shape cache; 0 turns it off. */
  readonly cacheMaxSize: number;
  readonly enableCircuitBreaker: boolean;
  readonly priorities?: Readonly<Record<string, number>>;
  readonly tiers?: readonly (Partial<TierConfig> & { readonly name: string })[];
  readonly quotas?: Readonly<Record<string, Requirements>>;
  readonly leases?: Partial<LeasesConfig>;
  readonly breaker?: Partial<BreakerConfig>;
  readonly load?: Partial<LoadConfig>;
  readonly detection?: Partial<DetectionConfig>;
  /** Kept for the system: '5%' or amounts by dimension. */
  readonly reserve?: Share;
  readonly overload?: Partial<OverloadConfig>;
  readonly idempotency?: Partial<IdempotencyConfig>;
}

/** A configuration with every section and every field present: what events record and the fold reads. */
export interface ResolvedConfig {
  readonly maxPoolSize: number;
  readonly minPoolSize: number;
  readonly cleanupIntervalMs: number;
  readonly resourceTimeoutMs: number;
  readonly cacheMaxSize: number;
  readonly enableCircuitBreaker: boolean;
  readonly priorities: Readonly<Record<string, number>>;
  readonly tiers: readonly TierConfig[];
  readonly quotas: Readonly<Record<string, Requirements>>;
  readonly leases: LeasesConfig;
  readonly breaker: BreakerConfig;
  readonly load: LoadConfig;
  readonly detection: DetectionConfig;
  readonly reserve: Share;
  readonly overload: OverloadConfig;
  readonly idempotency: IdempotencyConfig;
}

const QUEUE: QueueConfig = { policy: 'bestEffort', maxLength: 1_000, maxWaitMs: 3_600_000, ageingMs: 1_000 };

/** A tier of which only the name is given. */
export const DEFAULT_TIER: Omit<TierConfig, 'name'> = {
  priorities: [],
  nominal: '0%',
  borrowingLimit: null,
  lendingLimit: null,
  queue: QUEUE,
  preemption: 'off',
};

export const DEFAULT_POOL_CONFIG: ResolvedConfig = {
  maxPoolSize: 10_000,
  minPoolSize: 16,
  cleanupIntervalMs: 30_000,
  resourceTimeoutMs: 300_000,
  cacheMaxSize: 1_000,
  enableCircuitBreaker: true,
  priorities: { critical: 1000, high: 100, normal: 10, low: 1 },
  tiers: [
    { ...DEFAULT_TIER, name: 'critical', priorities: ['critical'], nominal: '20%' },
    { ...DEFAULT_TIER, name: 'standard', priorities: ['high', 'normal'], nominal: '50%' },
    { ...DEFAULT_TIER, name: 'besteffort', priorities: ['low'], nominal: '30%' },
  ],
  quotas: {},
  leases: { minTtlMs: 100, maxTtlMs: 86_400_000, quarantineMs: 0, graceMs: 10_000 },
  breaker: {
    windowCount: 100,
    windowMs: 60_000,
    minimumCalls: 10,
    failureRatio: 0.5,
    slowRatio: 0.8,
    slowCallMs: 1_000,
    openMs: 5_000,
    maxOpenMs: 60_000,
    jitterRatio: 0.2,
    halfOpenProbes: 5,
    halfOpenMs: 10_000,
    rampMs: 5_000,
  },
  load: { pressuredRatio: 0.8, saturatedRatio: 0.95, normalRatio: 0.7, dwellMs: 1_000, sampleMs: 500 },
  detection: { capacity: null, sampleIntervalMs: 5_000, hysteresisRatio: 0.01, stableSamples: 3 },
  reserve: '5%',
  overload: { mailboxLimit: 10_000, pressureRatio: 0.6, samples: 3, readerBytes: 64 * 1024 * 1024, longReads: 8 },
  idempotency: { retentionMs: 86_400_000, maxEntries: 100_000 },
};
