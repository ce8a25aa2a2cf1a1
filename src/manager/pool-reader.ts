import { poolView, requestView } from '../domain/views.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import { auditStream, poolStream } from '../model/ids.ts';
import type {
  EventFilter,
  LeaseFilter,
  Moment,
  Page,
  PoolReader,
  StreamItem,
  UtilizationView,
} from '../model/reading.ts';
import type { LeaseView, PoolView, RequestView } from '../model/views.ts';
import { eventPage } from '../projections/event-page.ts';
import { leaseIdOf, ownerOf, readLease } from '../projections/leases.ts';
import { followStream, lastRevision, readRange } from './log-streams.ts';
import type { Readings } from './readings.ts';

export interface PoolReaderOptions {
  readonly store: EventStore;
  readonly poolId: string;
  readonly readings: Readings;
  /** Of the manager that answers. */
  readonly breaker: () => PoolView['breaker'];
  readonly poolAt: (moment: Moment) => Promise<PoolView>;
  /** Waits for what is refused already to be recorded. */
  readonly flushAudit: () => Promise<void>;
}

type PageOptions = { readonly cursor?: string; readonly limit?: number };

/** What can be read of a running pool: committed facts, from the projections and the log. */
export class ManagedPoolReader implements PoolReader {
  readonly #options: PoolReaderOptions;
  readonly #stream: string;
  readonly #audit: string;

  constructor(options: PoolReaderOptions) {
    this.#options = options;
    this.#stream = poolStream(options.poolId);
    this.#audit = auditStream(options.poolId);
  }

  async getPool(moment?: Moment): Promise<PoolView> {
    const { readings, breaker, poolAt } = this.#options;
    return moment === undefined ? { ...poolView(readings.state()), breaker: breaker() } : poolAt(moment);
  }

  async getLease(leaseId: string): Promise<LeaseView> {
    return readLease(this.#options.readings.state(), leaseId);
  }

  async listLeases(filter: LeaseFilter = {}): Promise<Page<LeaseView>> {
    const { readings } = this.#options;
    return readings.leases.list(readings.state(), filter);
  }

  async getRequest(requestId: string): Promise<RequestView> {
    const state = this.#options.readings.state();
    const waiting = state.waiting.get(leaseIdOf(state, requestId) ?? '');
    if (waiting === undefined)
      throw new PoolError('NOT_FOUND', `no request ${requestId} waits`, { details: { requestId } });
    return requestView(state, waiting);
  }

  async listRequests(): Promise<readonly RequestView[]> {
    const state = this.#options.readings.state();
    return [...state.waiting.values()].map((record) => requestView(state, record));
  }

  async getUtilization(): Promise<UtilizationView> {
    const { readings } = this.#options;
    return readings.utilization.view(readings.state());
  }

  async pageEvents(filter: EventFilter, page: PageOptions): Promise<Page<RecordedPoolEvent>> {
    const head = this.#options.readings.state().revision;
    return eventPage(this.#source<RecordedPoolEvent>(this.#stream), head, filter, page, this.#ownerOf);
  }

  async pageRefusals(filter: EventFilter, page: PageOptions): Promise<Page<RecordedAuditEvent>> {
    await this.#options.flushAudit();
    const head = await lastRevision(this.#options.store, this.#audit);
    return eventPage(this.#source<RecordedAuditEvent>(this.#audit), head, filter, page);
  }

  followEvents(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedPoolEvent>> {
    return followStream(this.#options.store, this.#stream, filter, signal, this.#ownerOf);
  }

  followRefusals(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedAuditEvent>> {
    return followStream(this.#options.store, this.#audit, filter, signal);
  }

  readonly #ownerOf = (leaseId: string): string | undefined => ownerOf(this.#options.readings.state(), leaseId);

  #source<E extends RecordedEvent>(stream: string) {
    return (from: number, to: number) => readRange<E>(this.#options.store, stream, from, to);
  }
}
