import { DEFAULT_POOL_CONFIG, type ResolvedConfig } from '../model/config/config.ts';
import type { TierSizing } from '../model/events.ts';
import type { TierMode } from '../model/modes.ts';
import type { Amounts } from '../model/values/amounts.ts';
import type { RequestView } from '../model/views.ts';
import type { BreakerRecord } from './breaker/breaker-record.ts';
import { Dimensions } from './dimensions.ts';
import { EndedLeases } from './ledger/ended-leases.ts';
import { Holdings } from './ledger/holdings.ts';
import { TermsCache } from './ledger/lease-terms.ts';
import { LiveLeases } from './ledger/live-leases.ts';
import { Tally } from './ledger/tally.ts';
import { Arrivals } from './queue/arrivals.ts';
import { Claims } from './queue/claims.ts';
import type { WaitingList } from './queue/waiting-list.ts';
import type { WaitingRecord } from './queue/waiting-record.ts';
import type { TierRules } from './tier-rules.ts';

export type { EndedLease } from './ledger/ended-leases.ts';
export { LeaseRecord } from './ledger/lease-record.ts';
export type { WaitingRecord } from './queue/waiting-record.ts';

/** A tier's sizing by the numbers of the dimensions. */
export interface TierLimits {
  readonly nominal: readonly number[];
  /** nominal + borrowingLimit; Infinity = unlimited. */
  readonly most: readonly number[];
  /** Of the nominal, what no other tier may ever hold: nominal - lendingLimit (Kueue calls it the guaranteed quota). */
  readonly guaranteed: readonly number[];
}

export interface TierState {
  readonly name: string;
  sizing: TierSizing;
  /** The same by the numbers of the dimensions; replaced with it. */
  limits: TierLimits;
  /** What the configuration says of who waits here; replaced with it. */
  rules: TierRules;
  mode: TierMode;
  /** draining: its deadline; else null. */
  deadlineAt: number | null;
  /** When its load last changed. */
  loadChangedAt: number;
  readonly allocated: Tally;
  readonly quarantined: Tally;
  /** All that the tier could ever grant, whatever its mode; replaced when its order changes, or who stands there. */
  waiting: WaitingList;
  leases: number;
}

/** One writer's breaker, and the revision of its last change. */
export type RecordedBreaker = BreakerRecord & { readonly revision: number };

export interface Quarantine {
  readonly leaseId: string;
  readonly tier: string;
  readonly amounts: Amounts;
  readonly until: number;
}

/** What an idempotency key is bound to. */
export interface KeyRecord {
  /** null = what was done is about no lease. */
  readonly leaseId: string | null;
  /** What was answered, where that is about what is forgotten: a request as it was cancelled. */
  readonly asItStood?: RequestView;
  /** Digest of what was asked for. */
  readonly body: string;
  /** The number of its binding among the keys that are kept for a time; -1 = it goes with its lease. */
  readonly n: number;
  /** When it was bound, Unix ms. */
  readonly at: number;
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
  /** Of the capacity. */
  dimensions: readonly string[];
  /** Numbers of all dimensions that were ever known, and `allocatable` by them. */
  readonly numbered: Dimensions;
  /** Sums over the tiers, made when they are asked for. */
  readonly claims: Claims;
  whole: readonly number[];
  readonly terms: TermsCache;
  /** In the order of the configuration. */
  tiers: readonly TierState[];
  readonly allocated: Tally;
  readonly quarantined: Tally;
  readonly leases: LiveLeases;
  readonly ended: EndedLeases;
  readonly waiting: Map<string, WaitingRecord>;
  /** The same in the order of their coming. */
  readonly arrivals: Arrivals;
  /** The caller's name -> lease id, of live leases and waiting requests whose name is not that id (see `leaseNamed`). */
  readonly names: Map<string, string>;
  /** By scope (evolve/keys.ts). */
  readonly keys: Map<string, KeyRecord>;
  /** Scopes of the keys that are kept for a time by the number of their binding, from `keysFirst` to below `keysNext`. */
  readonly keysInOrder: Map<number, string>;
  keysFirst: number;
  keysNext: number;
  /** What these count in sum (`keyBytes`). Kept in no snapshot. */
  keysBytes: number;
  /** What each owner with a quota holds. */
  owners: Map<string, Tally>;
  /** What every owner holds, so that a quota needs no counting; null in a state of the past, which is looked at only. Kept in no snapshot. */
  readonly holdings: Holdings | null;
  readonly quarantine: Map<string, Quarantine>;
  /** By writer; of those whose breaker changed last, up to a number (evolve/breakers.ts). */
  readonly breakers: Map<string, RecordedBreaker>;
  /** Who last started, or changed its breaker. */
  lastWriterId: string;
  /** The highest token that has been given, or the floor that was raised since: the next is one more. */
  lastToken: number;
  /** The copy that the floor was last raised for (`TokenFloorRaised`). */
  floorFor?: string;
  /** How often something may have come free. It never goes back, by an undo neither (see epoch.ts). Kept in no snapshot. */
  freed: number;
  draining: boolean;
  healthy: boolean;
  failingChecks: readonly string[];
}

export const OPEN_NORMAL: TierMode = Object.freeze({ admission: 'open', load: 'normal' });

export function emptyState(): PoolState {
  const numbered = new Dimensions();
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
    numbered,
    claims: new Claims(),
    whole: [],
    terms: new TermsCache(),
    tiers: [],
    allocated: new Tally(numbered),
    quarantined: new Tally(numbered),
    leases: new LiveLeases(),
    ended: new EndedLeases(),
    waiting: new Map(),
    arrivals: new Arrivals(),
    names: new Map(),
    keys: new Map(),
    keysInOrder: new Map(),
    keysFirst: 0,
    keysNext: 0,
    keysBytes: 0,
    owners: new Map(),
    holdings: new Holdings(numbered),
    quarantine: new Map(),
    breakers: new Map(),
    lastWriterId: '',
    lastToken: 0,
    freed: 0,
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

/**
 * Whether a live lease or a waiting request goes by the name that a new request would have. A name that is the request's own new
 * id is nobody's unless a caller has chosen it, and names that callers chose are in `names`.
 */
export function isNameTaken(state: PoolState, name: string, ownId: string): boolean {
  return name === ownId ? state.names.size > 0 && state.names.has(name) : leaseNamed(state, name) !== undefined;
}

/** The lease or waiting request that goes by this name now: its lease id. */
export function leaseNamed(state: PoolState, name: string): string | undefined {
  const named = state.names.size === 0 ? undefined : state.names.get(name);
  if (named !== undefined) return named;
  if (state.leases.get(name)?.name === null) return name;
  return state.waiting.size > 0 && state.waiting.get(name)?.request.id === name ? name : undefined;
}
