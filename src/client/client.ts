import type { PoolConfig, ResolvedConfig } from '../model/config/config.ts';
import { isPoolError, PoolError } from '../model/errors.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { BreakerMode } from '../model/modes.ts';
import type {
  EventFilter,
  LeaseFilter,
  MetricsView,
  Moment,
  Page,
  PoolReader,
  RequestFilter,
  StreamItem,
  UtilizationView,
} from '../model/reading.ts';
import type { Refusal } from '../model/refusals.ts';
import type { AllocationRequest } from '../model/request.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';
import { allocateOver, type Granted } from './allocate.ts';
import { Http, type HttpOptions } from './http.ts';
import { type ClientLease, Keeper } from './lease.ts';
import { httpReader } from './reader.ts';
import { LeaseWatch } from './watch.ts';

export type ClientOptions = HttpOptions;

/** A lease as calls name it. */
export interface LeaseRef {
  readonly id: string;
  readonly token: number;
}

export interface EventsOptions {
  readonly from?: number;
  readonly filter?: Omit<EventFilter, 'from'>;
  readonly signal?: AbortSignal;
}

/** The pool's verbs over HTTP. Every method throws PoolError as the library does. */
export class ResourcePoolClient implements AsyncDisposable {
  /** What can be read, for programs that take any reader. */
  readonly reader: PoolReader;
  readonly #http: Http;
  readonly #watch: LeaseWatch;
  readonly #closed = new AbortController();

  constructor(options: ClientOptions) {
    this.#http = new Http(options);
    this.reader = httpReader(this.#http);
    this.#watch = new LeaseWatch(this.#http);
  }

  /** A lease that renews by itself until it is released. Throws the refusal. */
  async allocate(request: AllocationRequest): Promise<ClientLease> {
    const { view, sentAt } = await this.#young(await allocateOver(this.#http, request));
    const keeper = new Keeper(view, sentAt, {
      renew: (lease, ttlMs) => this.renew(lease, { ttlMs }),
      release: (lease) => this.release(lease),
      ended: (ended) => this.#watch.remove(ended),
    });
    this.#watch.add(keeper);
    return keeper.lease;
  }

  /** A lease that nobody renews: it ends after its TTL unless the caller sees to it. */
  async allocateOnce(request: AllocationRequest): Promise<LeaseView> {
    return (await allocateOver(this.#http, request)).view;
  }

  /** A refusal as a value; throws only what is none (INVALID_REQUEST, outages, aborts). */
  async tryAllocate(request: AllocationRequest): Promise<{ granted: ClientLease } | { refused: Refusal }> {
    try {
      return { granted: await this.allocate(request) };
    } catch (error) {
      if (!isPoolError(error) || error.details['decisionId'] === undefined) throw error;
      return { refused: { ...error.details, code: error.code, message: error.message } as unknown as Refusal };
    }
  }

  /** Runs `work` under a lease that is renewed until it settles, and released whatever happens. */
  async use<T>(request: AllocationRequest, work: (lease: ClientLease) => Promise<T>): Promise<T> {
    const lease = await this.allocate(request);
    try {
      return await work(lease);
    } finally {
      await lease.release().catch((error: unknown) => {
        if (!isPoolError(error)) throw error; // it has ended already, or ends by its TTL
      });
    }
  }

  release(lease: LeaseRef): Promise<LeaseView> {
    return this.#post(`/v1/leases/${encodeURIComponent(lease.id)}/release`, { token: lease.token });
  }

  renew(lease: LeaseRef, options: { readonly ttlMs?: number } = {}): Promise<LeaseView> {
    return this.#post(`/v1/leases/${encodeURIComponent(lease.id)}/renew`, { token: lease.token, ttlMs: options.ttlMs });
  }

  revoke(leaseId: string, options: { readonly reason?: string; readonly graceMs?: number } = {}): Promise<LeaseView> {
    const { reason = 'revoked', graceMs } = options;
    return this.#post(`/v1/leases/${encodeURIComponent(leaseId)}/revoke`, { reason, graceMs });
  }

  async cancel(requestId: string): Promise<RequestView> {
    return (
      await this.#http.call<RequestView>({ method: 'DELETE', path: `/v1/requests/${encodeURIComponent(requestId)}` })
    ).body;
  }

  cordon(tier: string): Promise<TierView> {
    return this.#post(`/v1/tiers/${encodeURIComponent(tier)}/cordon`, {});
  }

  uncordon(tier: string): Promise<TierView> {
    return this.#post(`/v1/tiers/${encodeURIComponent(tier)}/uncordon`, {});
  }

  drainTier(tier: string, options: { readonly deadlineMs: number }): Promise<TierView> {
    return this.#post(`/v1/tiers/${encodeURIComponent(tier)}/drain`, options);
  }

  setBreaker(mode: BreakerMode): Promise<PoolView['breaker']> {
    return this.#post('/v1/breaker', { mode });
  }

  async getConfig(): Promise<{ readonly config: ResolvedConfig; readonly revision: number }> {
    const { body, headers } = await this.#http.call<ResolvedConfig>({ path: '/v1/config' });
    return { config: body, revision: revisionOf(headers) };
  }

  /** Changes parts of the configuration; REVISION_MISMATCH unless `ifRevision` (default: any) is the current one. */
  async configure(
    patch: Partial<PoolConfig>,
    options: { readonly ifRevision?: number } = {},
  ): Promise<{ readonly config: ResolvedConfig; readonly revision: number }> {
    const match = options.ifRevision === undefined ? '*' : `"${options.ifRevision}"`;
    const call = { method: 'PATCH', path: '/v1/config', body: patch, headers: { 'if-match': match } } as const;
    const { body, headers } = await this.#http.call<ResolvedConfig>(call);
    return { config: body, revision: revisionOf(headers) };
  }

  getPool(moment?: Moment): Promise<PoolView> {
    return this.reader.getPool(moment);
  }

  getLease(leaseId: string): Promise<LeaseView> {
    return this.reader.getLease(leaseId);
  }

  listLeases(filter?: LeaseFilter): Promise<Page<LeaseView>> {
    return this.reader.listLeases(filter);
  }

  getRequest(requestId: string): Promise<RequestView> {
    return this.reader.getRequest(requestId);
  }

  listRequests(filter?: RequestFilter): Promise<Page<RequestView>> {
    return this.reader.listRequests(filter);
  }

  getUtilization(): Promise<UtilizationView> {
    return this.reader.getUtilization();
  }

  async getMetrics(): Promise<MetricsView> {
    return (await this.#http.call<MetricsView>({ path: '/v1/metrics.json' })).body;
  }

  /** The pool's events from `from`, then live, over disconnects too. */
  events(options: EventsOptions = {}): AsyncIterable<RecordedPoolEvent> {
    return eventsOf(this.reader.followEvents(filterOf(options), this.#until(options.signal)));
  }

  refusals(options: EventsOptions = {}): AsyncIterable<RecordedAuditEvent> {
    return eventsOf(this.reader.followRefusals(filterOf(options), this.#until(options.signal)));
  }

  /** Ends renewals and event streams. Leases are not released: they run out by themselves. */
  async close(): Promise<void> {
    this.#closed.abort(new PoolError('CANCELLED', 'the client was closed'));
    for (const keeper of this.#watch.keepers) keeper.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A lease that may be about to run out is renewed first: its keeper must know when its TTL began. */
  async #young({ view, sentAt, older }: Granted): Promise<{ readonly view: LeaseView; readonly sentAt: number }> {
    if (!older) return { view, sentAt };
    const renewingAt = performance.now();
    return { view: await this.renew(view), sentAt: renewingAt };
  }

  #until(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closed.signal : AbortSignal.any([signal, this.#closed.signal]);
  }

  async #post<T>(path: string, body: unknown): Promise<T> {
    return (await this.#http.call<T>({ method: 'POST', path, body })).body;
  }
}

const filterOf = ({ from, filter }: EventsOptions): EventFilter => ({
  ...filter,
  ...(from === undefined ? {} : { from }),
});

async function* eventsOf<E>(items: AsyncIterable<StreamItem<E>>): AsyncGenerator<E> {
  for await (const item of items) if ('event' in item) yield item.event;
}

const revisionOf = (headers: Headers): number => Number(headers.get('etag')?.replaceAll('"', ''));
