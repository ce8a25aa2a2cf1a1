import type { BreakerRecord } from '../domain/state.ts';
import { goneError } from '../eventstore/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import { auditStream, isAuditStream, poolStream } from '../model/ids.ts';
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
import type { PoolReadings } from '../projections/readings.ts';
import { Timeline } from '../replay/timeline.ts';
import { logBase } from './log-base.ts';
import { firstRevision, followStream, lastRevision, readRange } from './log-streams.ts';

export interface StoredPoolReaderOptions {
  readonly store: EventStore;
  readonly poolId: string;
  /** The pool's readings, up with what is committed. */
  readonly readings: () => PoolReadings | Promise<PoolReadings>;
  /** Of the manager that answers; without one that of the log's last writer is shown. */
  readonly breaker?: () => BreakerRecord;
  /** Waits for what is refused already to be recorded. */
  readonly flushAudit?: () => Promise<void>;
  /** Where nobody else brings the readings what is committed: takes in what a subscription to the log delivers. */
  readonly learn?: (events: readonly RecordedPoolEvent[]) => void;
}

type PageOptions = { readonly cursor?: string; readonly limit?: number };

/** What can be read of a pool, running or not: committed facts, from the projections and from the log. */
export class StoredPoolReader implements PoolReader {
  readonly #options: StoredPoolReaderOptions;
  readonly #stream: string;
  readonly #audit: string;
  readonly #timeline: Timeline;

  constructor(options: StoredPoolReaderOptions) {
    this.#options = options;
    this.#stream = poolStream(options.poolId);
    this.#audit = auditStream(options.poolId);
    const base = () => logBase(options.store, this.#stream)?.state;
    this.#timeline = new Timeline(this.#source(this.#stream), undefined, base);
  }

  async getPool(moment?: Moment): Promise<PoolView> {
    if (moment !== undefined) return this.#timeline.poolAt(moment);
    return (await this.#options.readings()).pool(this.#options.breaker?.());
  }

  async getLease(leaseId: string): Promise<LeaseView> {
    return (await this.#options.readings()).lease(leaseId);
  }

  async listLeases(filter?: LeaseFilter): Promise<Page<LeaseView>> {
    return (await this.#options.readings()).listLeases(filter);
  }

  async getRequest(requestId: string): Promise<RequestView> {
    return (await this.#options.readings()).request(requestId);
  }

  async listRequests(): Promise<readonly RequestView[]> {
    return (await this.#options.readings()).listRequests();
  }

  async getUtilization(): Promise<UtilizationView> {
    return (await this.#options.readings()).utilization();
  }

  async pageEvents(filter: EventFilter, page: PageOptions): Promise<Page<RecordedPoolEvent>> {
    const owners = await this.#owners(filter);
    const head = await lastRevision(this.#options.store, this.#stream);
    return eventPage(
      this.#source<RecordedPoolEvent>(this.#stream),
      head,
      await this.#kept(this.#stream, filter),
      page,
      owners?.ownerOf,
    );
  }

  async pageRefusals(filter: EventFilter, page: PageOptions): Promise<Page<RecordedAuditEvent>> {
    await this.#options.flushAudit?.();
    const head = await lastRevision(this.#options.store, this.#audit);
    return eventPage(this.#source<RecordedAuditEvent>(this.#audit), head, await this.#kept(this.#audit, filter), page);
  }

  async *followEvents(filter: EventFilter, signal?: AbortSignal): AsyncGenerator<StreamItem<RecordedPoolEvent>> {
    const { store, learn } = this.#options;
    const owners = await this.#owners(filter);
    if (owners === undefined) return yield* followStream<RecordedPoolEvent>(store, this.#stream, filter, { signal });
    const { state, ownerOf } = owners;
    // What is between the readings and `filter.from` is learnt too: it may tell of the owners of what comes after.
    const from =
      learn === undefined
        ? filter.from
        : Math.min(filter.from ?? this.#options.store.history?.first(this.#stream) ?? 0, state.revision + 1);
    yield* followStream<RecordedPoolEvent>(store, this.#stream, filter, { signal, ownerOf, learn, from });
  }

  followRefusals(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedAuditEvent>> {
    return followStream<RecordedAuditEvent>(this.#options.store, this.#audit, filter, { signal });
  }

  /** The readings if the filter asks whose lease it is: what ends one does not say so itself. */
  async #owners({ owner }: EventFilter): Promise<PoolReadings | undefined> {
    return owner === undefined ? undefined : this.#options.readings();
  }

  /** Who names no beginning is given what is kept; who names one that is gone is told so. */
  async #kept(stream: string, filter: EventFilter): Promise<EventFilter> {
    const { store } = this.#options;
    const { from } = filter;
    const first = store.history?.first(stream) ?? 0;
    if (from === undefined) return first > 0 ? { ...filter, from: first } : filter;
    if (!store.traits.shared || !isAuditStream(stream)) return filter;
    const kept = await firstRevision(store, stream);
    if (from < kept) throw goneError(stream, from, kept);
    return filter;
  }

  #source<E extends RecordedEvent>(stream: string) {
    return (from: number, to: number) => readRange<E>(this.#options.store, stream, from, to);
  }
}
