import type { Amounts } from '../model/amounts.ts';
import { DEFAULT_POOL_CONFIG, type ResolvedConfig } from '../model/config.ts';
import type { ReclaimReason, TierSizing } from '../model/events.ts';
import type { BreakerMode, TierMode } from '../model/modes.ts';
import type { RequestSpec } from '../model/request.ts';

/** Amounts that the fold updates in place. */
export type Tally = Record<string, number>;

/** A lease that is held. One record for its whole life, until it ends. */
export interface LeaseRecord {
  readonly leaseId: string;
  readonly request: RequestSpec;
  readonly priority: string;
  readonly type: string;
  readonly tier: string;
  readonly amounts: Amounts;
  readonly borrowed: Amounts | null;
  readonly token: number;
  readonly grantedAt: number;
  ttlMs: number;
  expiresAt: number;
  /** The instant a noticed lease ends at; null while nobody has asked for it back. */
  noticeEndsAt: number | null;
  noticeReason: ReclaimReason | null;
  /** Of the last event that changed it. */
  revision: number;
}

/** What stays answerable of a lease that ended. */
export interface EndedLease {
  readonly lease: LeaseRecord;
  readonly endedAt: number;
  /** null = released by its holder. */
  readonly reason: ReclaimReason | null;
  readonly revision: number;
}

/** A request that waits for room. */
export interface WaitingRecord {
  readonly leaseId: string;
  readonly request: RequestSpec;
  readonly priority: string;
  readonly type: string;
  readonly tier: string;
  /** The lower stands before the higher. */
  readonly rank: number;
  readonly ttlMs: number;
  readonly queuedAt: number;
  readonly expiresAt: number;
  readonly writerId: string;
  readonly revision: number;
}

export interface TierState {
  readonly name: string;
  sizing: TierSizing;
  mode: TierMode;
  /** draining: its deadline; else null. */
  deadlineAt: number | null;
  /** When its load last changed. */
  loadChangedAt: number;
  readonly allocated: Tally;
  readonly quarantined: Tally;
  /** In rank order, then by lease id. Replaced, never changed in place, so that an undo is one assignment. */
  waiting: readonly WaitingRecord[];
  leases: number;
}

export interface BreakerRecord {
  readonly mode: BreakerMode;
  readonly generation: number;
  readonly until: number | null;
  readonly reopened: number;
}

export interface Quarantine {
  readonly leaseId: string;
  readonly tier: string;
  readonly amounts: Amounts;
  readonly until: number;
}

/** What an idempotency key is bound to. */
export interface KeyRecord {
  readonly leaseId: string;
}

/** The fold of a pool's events. `evolve` alone writes it. */
export interface PoolState {
  poolId: string;
  stream: string;
  /** Of the last event folded; -1 = none. */
  revision: number;
  at: number;
  hostId: string;
  config: ResolvedConfig;
  configHash: string;
  /** Hash of the configuration that a manager last started with: a PATCH survives a restart with the same file. */
  startConfigHash: string;
  configRevision: number;
  capacity: Amounts;
  capacitySource: 'detected' | 'declared';
  capacityRevision: number;
  allocatable: Amounts;
  dimensions: readonly string[];
  /** In the order of the configuration. */
  tiers: readonly TierState[];
  readonly allocated: Tally;
  readonly quarantined: Tally;
  readonly leases: Map<string, LeaseRecord>;
  /** Ended leases by id, and the same by the number of their end (`nthEnded`), for eviction. */
  readonly ended: Map<string, EndedLease>;
  endedRing: EndedLease[];
  endedFirst: number;
  endedNext: number;
  readonly waiting: Map<string, WaitingRecord>;
  /** The caller's name -> lease id, of live leases and waiting requests. */
  readonly names: Map<string, string>;
  readonly keys: Map<string, KeyRecord>;
  /** What each owner with a quota holds; the others are not counted. */
  owners: Map<string, Tally>;
  readonly quarantine: Map<string, Quarantine>;
  readonly breakers: Map<string, BreakerRecord>;
  /** Who last started, or changed its breaker. */
  lastWriterId: string;
  lastToken: number;
  /** When the first of the live leases runs out; null = nobody has asked since it last changed. Kept in no snapshot. */
  soonestExpiry: number | null;
  draining: boolean;
  healthy: boolean;
  failingChecks: readonly string[];
}

export const OPEN_NORMAL: TierMode = Object.freeze({ admission: 'open', load: 'normal' });

export function emptyState(): PoolState {
  return {
    poolId: '',
    stream: '',
    revision: -1,
    at: 0,
    hostId: '',
    config: DEFAULT_POOL_CONFIG,
    configHash: '',
    startConfigHash: '',
    configRevision: -1,
    capacity: {},
    capacitySource: 'detected',
    capacityRevision: -1,
    allocatable: {},
    dimensions: [],
    tiers: [],
    allocated: {},
    quarantined: {},
    leases: new Map(),
    ended: new Map(),
    endedRing: [],
    endedFirst: 0,
    endedNext: 0,
    waiting: new Map(),
    names: new Map(),
    keys: new Map(),
    owners: new Map(),
    quarantine: new Map(),
    breakers: new Map(),
    lastWriterId: '',
    lastToken: 0,
    soonestExpiry: null,
    draining: false,
    healthy: true,
    failingChecks: [],
  };
}

/** The tier of that name. Tiers are few: a scan beats a map. */
export function tierNamed(state: PoolState, name: string): TierState | undefined {
  for (const tier of state.tiers) if (tier.name === name) return tier;
  return undefined;
}

/** An idempotency key is scoped by owner and verb. */
export const keyOf = (owner: string, verb: string, key: string): string => `${owner} ${verb} ${key}`;

/** Live leases in the order of their grants. An undo and a snapshot change the order of a map, and events may not show it. */
export const leasesInOrder = (state: PoolState): LeaseRecord[] =>
  [...state.leases.values()].sort((a, b) => a.token - b.token);

/** Waiting requests in the order of their coming. */
export const waitersInOrder = (state: PoolState): WaitingRecord[] =>
  [...state.waiting.values()].sort((a, b) => a.revision - b.revision);

/** The lease that ended as the n-th of the pool, for n from `endedFirst` to below `endedNext`. The ring's length is a power of two. */
export const nthEnded = (state: PoolState, n: number): EndedLease => state.endedRing[n & (state.endedRing.length - 1)]!;
