import type { RecordedAuditEvent, RecordedPoolEvent } from './events.ts';
import type { ResourceMetrics } from './interfaces.ts';
import type { LeaseView, PoolView, RequestView } from './views.ts';

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

export interface RequestFilter {
  /** The tier in which it is shown. */
  readonly tier?: string;
  readonly owner?: string;
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

/** Which page, and until when it is wanted: a page that is read long ends with the reason of `signal`. */
export interface PageOptions {
  /** The `next` of the page before. */
  readonly cursor?: string;
  /** 1..1000; default 100. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
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
  /** Of the embedded store's write-ahead log; 0 where there is none. */
  readonly walBytes: number;
  readonly mailbox: { readonly waiting: number; readonly limit: number };
}

/** Events, or the mark that history has been delivered. */
export type StreamItem<E> = { readonly event: E } | { readonly caughtUp: true };

/** Everything that can be read of a pool: from a manager, over HTTP, or from a log that is opened read-only. */
export interface PoolReader {
  /** A past moment far off takes its time; `signal` ends that with its reason. */
  getPool(moment?: Moment, signal?: AbortSignal): Promise<PoolView>;
  /** NOT_FOUND if unknown or no longer kept. */
  getLease(leaseId: string): Promise<LeaseView>;
  listLeases(filter?: LeaseFilter): Promise<Page<LeaseView>>;
  getRequest(requestId: string): Promise<RequestView>;
  /** What waits, in the order of its queues. */
  listRequests(filter?: RequestFilter): Promise<Page<RequestView>>;
  getUtilization(): Promise<UtilizationView>;

  /** A page of the log: `cursor` wins over `from`. */
  pageEvents(filter: EventFilter, page: PageOptions): Promise<Page<RecordedPoolEvent>>;
  pageRefusals(filter: EventFilter, page: PageOptions): Promise<Page<RecordedAuditEvent>>;
  /** History from `from`, then live; without gap or duplicate. Ends at `to`, or when `signal` aborts. */
  followEvents(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedPoolEvent>>;
  followRefusals(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedAuditEvent>>;
}
