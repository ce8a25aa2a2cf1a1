import type { OverloadConfig, ResolvedConfig } from '../model/config/config.ts';
import type { BreakerMode } from '../model/modes.ts';
import type { MetricsView, PoolReader } from '../model/reading.ts';
import type { Refusal } from '../model/refusals.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';

export type {
  EventFilter,
  LeaseFilter,
  MetricsView,
  Moment,
  Page,
  PageOptions,
  PoolReader,
  RequestFilter,
  StreamItem,
  UtilizationPoint,
  UtilizationView,
} from '../model/reading.ts';

/** Who asks, and how. `actor` is recorded in the events' metadata. */
export interface CallOptions {
  readonly actor?: string;
  /** Scoped by owner and verb; a repeat with the same body does nothing again and answers what there is now. */
  readonly idempotencyKey?: string;
  /** Told before the answer if it is that to a repeat. */
  readonly onReplayed?: () => void;
  /** If-Match, of what is done to a lease: REVISION_MISMATCH unless it stands at one of these. A repeat by its key is answered all the same. */
  readonly ifRevision?: readonly number[];
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

/**
 * What the doors (HTTP, CLI, library) ask of a manager. Every answer is made of committed facts. Methods throw PoolError:
 * INVALID_REQUEST with every wrong field, NOT_FOUND, FENCED, LOG_UNAVAILABLE, OUTCOME_UNKNOWN, OVERLOADED ...
 */
export interface PoolService extends PoolReader {
  readonly poolId: string;
  ready(): Promise<void>;
  status(): ReadyStatus;
  /** In force now; the defaults until it has recovered. */
  overload(): OverloadConfig;
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
