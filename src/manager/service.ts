import type { ResolvedConfig } from '../model/config.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { ResourceMetrics } from '../model/interfaces.ts';
import type { BreakerMode } from '../model/modes.ts';
import type { Refusal } from '../model/refusals.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';

/** Who asks, and how. `actor` is recorded in the events' metadata. */
export interface CallOptions {
  readonly actor?: string;
  /** Scoped by owner and verb; a repeat answers as the first call did. */
  readonly idempotencyKey?: string;
  /** Aborting a waiting allocate cancels it (one without a key). */
  readonly signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** Wins over the request's own `waitMs` (Prefer: wait=N). */
  readonly waitMs?: number;
  /** Prefer: respond-async: answer `queued` at once instead of waiting; the waiter survives its caller. */
  readonly detached?: boolean;
}

export type Submitted =
  | { readonly kind: 'granted'; readonly lease: LeaseView; readonly replayed: boolean }
  | { readonly kind: 'queued'; readonly request: RequestView; readonly replayed: boolean }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export interface LeaseAnswer {
  readonly lease: LeaseView;
  /** The same call was answered before; nothing was done again. */
  readonly replayed: boolean;
}

export interface LeaseFilter {
  readonly owner?: string;
  readonly tier?: string;
  readonly priority?: string;
  readonly state?: LeaseView['state'];
  /** The `next` of the page before. */
  readonly cursor?: string;
  /** 1..1000; default 100. */
  readonly limit?: number;
}

export interface EventFilter {
  /** Inclusive revisions. */
  readonly from?: number;
  readonly to?: number;
  readonly types?: readonly string[];
  readonly leaseId?: string;
  readonly owner?: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** The cursor of the page after; null at the end. */
  readonly next: string | null;
}

export type Moment = { readonly revision: number } | { readonly at: number };

export interface UtilizationPoint {
  readonly at: number;
  /** 0..1 per dimension, allocated / allocatable. */
  readonly utilization: Readonly<Record<string, number>>;
  readonly leases: number;
  readonly waiting: number;
}

export interface UtilizationView {
  readonly revision: number;
  readonly at: number;
  readonly now: Readonly<Record<string, number>>;
  readonly tiers: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Oldest first, at most 1000 points; the step widens as history grows. */
  readonly series: readonly UtilizationPoint[];
}

/** Everything a monitor wants to count; the Prometheus text is made of it. */
export interface MetricsView extends ResourceMetrics {
  readonly poolId: string;
  readonly granted: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
  readonly reclaimed: Readonly<Record<string, number>>;
  readonly releasedTotal: number;
  readonly renewedTotal: number;
  readonly duplicateReleasesTotal: number;
  readonly queuedTotal: number;
  readonly cancelledTotal: number;
  readonly requestsExpiredTotal: number;
  readonly waitTimeMs: {
    readonly count: number;
    readonly sum: number;
    readonly buckets: Readonly<Record<string, number>>;
  };
  readonly useTimeMs: {
    readonly count: number;
    readonly sum: number;
    readonly buckets: Readonly<Record<string, number>>;
  };
  readonly cache: { readonly hits: number; readonly misses: number; readonly bypasses: number; readonly size: number };
  readonly appends: {
    readonly batches: number;
    readonly events: number;
    readonly conflicts: number;
    readonly unknown: number;
    readonly failed: number;
  };
  readonly mailbox: { readonly waiting: number; readonly limit: number };
}

export interface ReadyStatus {
  readonly ready: boolean;
  readonly state: 'recovering' | 'serving' | 'draining' | 'logUnavailable' | 'standby' | 'closed';
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly message?: string }[];
}

export interface ConfigView {
  readonly config: ResolvedConfig;
  readonly hash: string;
  /** The ETag: revision of the ConfigChanged that made it so. */
  readonly revision: number;
}

/** Events, or the mark that history has been delivered. */
export type StreamItem<E> = { readonly event: E } | { readonly caughtUp: true };

/** Everything that can be read of a pool: from a manager, over HTTP, or from a log that is opened read-only. */
export interface PoolReader {
  getPool(moment?: Moment): Promise<PoolView>;
  /** NOT_FOUND if unknown or no longer kept. */
  getLease(leaseId: string): Promise<LeaseView>;
  listLeases(filter?: LeaseFilter): Promise<Page<LeaseView>>;
  getRequest(requestId: string): Promise<RequestView>;
  listRequests(): Promise<readonly RequestView[]>;
  getUtilization(): Promise<UtilizationView>;

  /** A page of the log: `cursor` wins over `from`. */
  pageEvents(filter: EventFilter, page: { cursor?: string; limit?: number }): Promise<Page<RecordedPoolEvent>>;
  pageRefusals(filter: EventFilter, page: { cursor?: string; limit?: number }): Promise<Page<RecordedAuditEvent>>;
  /** History from `from`, then live; without gap or duplicate. Ends at `to`, or when `signal` aborts. */
  followEvents(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedPoolEvent>>;
  followRefusals(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedAuditEvent>>;
}

/**
 * What the doors (HTTP, CLI, library) ask of a manager. Every answer is made of committed facts. Methods throw PoolError:
 * INVALID_REQUEST with every wrong field, NOT_FOUND, FENCED, LOG_UNAVAILABLE, OUTCOME_UNKNOWN, OVERLOADED ...
 */
export interface PoolService extends PoolReader {
  readonly poolId: string;
  ready(): Promise<void>;
  status(): ReadyStatus;
  getMetrics(): Promise<MetricsView>;

  submit(request: unknown, options?: SubmitOptions): Promise<Submitted>;
  releaseLease(leaseId: string, token: number, options?: CallOptions): Promise<LeaseAnswer>;
  renewLease(leaseId: string, token: number, ttlMs: number | undefined, options?: CallOptions): Promise<LeaseAnswer>;
  revokeLease(
    leaseId: string,
    reason: string | undefined,
    graceMs: number | undefined,
    options?: CallOptions,
  ): Promise<LeaseAnswer>;
  cancelRequest(requestId: string, options?: CallOptions): Promise<RequestView>;

  cordonTier(tier: string, options?: CallOptions): Promise<TierView>;
  uncordonTier(tier: string, options?: CallOptions): Promise<TierView>;
  drainTier(tier: string, deadlineMs: number, options?: CallOptions): Promise<TierView>;
  setBreaker(mode: BreakerMode, options?: CallOptions): Promise<PoolView['breaker']>;
  getConfig(): Promise<ConfigView>;
  /** Merges `patch` into the configuration in force. REVISION_MISMATCH unless `expectedRevision` (if given) is the current one. */
  patchConfig(patch: unknown, expectedRevision: number | undefined, options?: CallOptions): Promise<ConfigView>;

  dispose(): Promise<void>;
}
