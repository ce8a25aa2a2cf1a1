import type { BreakerRecord } from '../domain/breaker/breaker-record.ts';
import { goneError } from '../eventstore/errors.ts';
import { firstRevision, lastRevision, readRange } from '../eventstore/read-range.ts';
import { isPoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import { auditStream, isAuditStream, poolStream } from '../model/ids.ts';
import type {
  EventFilter,
  LeaseFilter,
  Moment,
  Page,
  PageOptions,
  PoolReader,
  RequestFilter,
  StreamItem,
  UtilizationView,
} from '../model/reading.ts';
import type { LeaseView, PoolView, RequestView } from '../model/views.ts';
import type { BlockIndex } from '../projections/block-index.ts';
import { eventPage, eventsIn, type Finding } from '../projections/event-page.ts';
import type { PoolReadings } from '../projections/readings.ts';
import { Timeline } from '../replay/timeline.ts';
import { readersTurn, Slice } from '../time/turn.ts';
import { followStream } from './follow-stream.ts';
import { logBase } from './log-base.ts';

export interface StoredPoolReaderOptions {
  readonly store: EventStore;
  readonly poolId: string;
  /** The pool's readings, up with what is committed. */
  readonly readings: () => PoolReadings | Promise<PoolReadings>;
  /** Of the manager that answers; without one that of the log's last writer is shown. */
  readonly breaker?: () => BreakerRecord;
  /** Where refusals lie, if somebody folds them. */
  readonly audit?: () => { readonly index: BlockIndex };
  /** Waits for what is refused already to be recorded, for as long as that may be expected, and until `signal` aborts. */
  readonly flushAudit?: (signal?: AbortSignal) => Promise<void>;
  /** Where nobody else brings the readings what is committed: takes in what a subscription to the log delivers. */
  readonly learn?: (events: readonly RecordedPoolEvent[]) => void;
}

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
    const slice = new Slice(readersTurn);
    const rest = async (): Promise<void> => {
      if (slice.isOver) await slice.next();
    };
    this.#timeline = new Timeline(this.#source(this.#stream), undefined, base, rest);
  }

  async getPool(moment?: Moment, signal?: AbortSignal): Promise<PoolView> {
    if (moment !== undefined) return orAborted(this.#timeline.poolAt(moment, signal), signal);
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

  async listRequests(filter?: RequestFilter): Promise<Page<RequestView>> {
    return (await this.#options.readings()).listRequests(filter);
  }

  async getUtilization(): Promise<UtilizationView> {
    return (await this.#options.readings()).utilization();
  }

  async pageEvents(filter: EventFilter, page: PageOptions): Promise<Page<RecordedPoolEvent>> {
    const finding = isPicky(filter) ? await this.#options.readings() : undefined;
    const head = await lastRevision(this.#options.store, this.#stream);
    await readersTurn();
    return this.#fromKept(this.#stream, filter, page, (kept) =>
      eventPage(
        this.#source<RecordedPoolEvent>(this.#stream, page.signal, namesNone(filter, page)),
        head,
        kept,
        page,
        finding,
      ),
    );
  }

  async pageRefusals(filter: EventFilter, page: PageOptions): Promise<Page<RecordedAuditEvent>> {
    await this.#options.flushAudit?.(page.signal);
    page.signal?.throwIfAborted();
    const head = await lastRevision(this.#options.store, this.#audit);
    await readersTurn();
    return this.#fromKept(this.#audit, filter, page, (kept) => {
      const source = this.#source<RecordedAuditEvent>(this.#audit, page.signal, namesNone(filter, page));
      return eventPage(source, head, kept, page, this.#options.audit?.());
    });
  }

  async *followEvents(filter: EventFilter, signal?: AbortSignal): AsyncGenerator<StreamItem<RecordedPoolEvent>> {
    const { store } = this.#options;
    if (!isPicky(filter)) return yield* followStream<RecordedPoolEvent>(store, this.#stream, filter, { signal });
    yield* beginAnew(filter, () => this.#findEvents(filter, signal));
  }

  async *#findEvents(filter: EventFilter, signal?: AbortSignal): AsyncGenerator<StreamItem<RecordedPoolEvent>> {
    const { store, learn } = this.#options;
    const readings = await this.#options.readings();
    const known = readings.index.next;
    await readersTurn();
    yield* this.#found<RecordedPoolEvent>(this.#stream, known - 1, filter, readings, signal);
    if (filter.to !== undefined && filter.to < known) return;
    // What is between the readings and `filter.from` is learnt too: it may tell of the owners of what comes after.
    const from = learn === undefined ? Math.max(filter.from ?? 0, known) : known;
    const { ownerOf } = readings;
    yield* followStream<RecordedPoolEvent>(store, this.#stream, filter, { signal, ownerOf, learn, from });
  }

  async *followRefusals(filter: EventFilter, signal?: AbortSignal): AsyncGenerator<StreamItem<RecordedAuditEvent>> {
    yield* beginAnew(filter, () => this.#findRefusals(filter, signal));
  }

  async *#findRefusals(filter: EventFilter, signal?: AbortSignal): AsyncGenerator<StreamItem<RecordedAuditEvent>> {
    const { store, audit } = this.#options;
    const finding = isPicky(filter) ? audit?.() : undefined;
    if (finding === undefined) {
      await this.#kept(this.#audit, filter);
      return yield* followStream<RecordedAuditEvent>(store, this.#audit, filter, { signal });
    }
    const known = finding.index.next;
    await readersTurn();
    yield* this.#found<RecordedAuditEvent>(this.#audit, known - 1, filter, finding, signal);
    if (filter.to !== undefined && filter.to < known) return;
    const from = Math.max(filter.from ?? 0, known);
    yield* followStream<RecordedAuditEvent>(store, this.#audit, filter, { signal, from });
  }

  /** Of history; ends by `signal`. */
  async *#found<E extends RecordedEvent>(
    stream: string,
    to: number,
    filter: EventFilter,
    finding: Finding | undefined,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StreamItem<E>> {
    try {
      const kept = await this.#kept(stream, filter);
      const source = this.#source<E>(stream, signal, namesNone(filter));
      for await (const event of eventsIn(source, to, kept, finding)) yield { event };
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /** Who names no beginning begins at what is kept when it is read: that moves on while others append. */
  async #fromKept<T>(
    stream: string,
    filter: EventFilter,
    page: PageOptions,
    read: (kept: EventFilter) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await read(await this.#kept(stream, filter));
      } catch (error) {
        if (!namesNone(filter, page) || attempt === MAX_BEGINNINGS || !isGone(error)) throw error;
      }
    }
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

  /** `moves`: it begins at what is kept when its first page is read. What comes after that page is missed by nobody, or gone. */
  #source<E extends RecordedEvent>(stream: string, signal?: AbortSignal, moves = false) {
    const { store } = this.#options;
    let isBegun = !moves;
    const begins = (from: number, to: number): number => {
      if (isBegun) return from;
      const first = store.history?.first(stream) ?? 0;
      isBegun = first <= to;
      return Math.max(from, first);
    };
    return (from: number, to: number) => readRange<E>(store, stream, from, to, { signal, begins });
  }
}

/** As `work`, or rejects with the reason of `signal` as soon as that aborts, also while it is not yet its turn. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

/** As `#fromKept`, of a stream: begins anew as long as nothing of it has been given. */
async function* beginAnew<E>(
  filter: EventFilter,
  follow: () => AsyncIterable<StreamItem<E>>,
): AsyncGenerator<StreamItem<E>> {
  let isGiven = false;
  for (let attempt = 1; ; attempt++) {
    try {
      for await (const item of follow()) {
        isGiven = true;
        yield item;
      }
      return;
    } catch (error) {
      if (isGiven || !namesNone(filter) || attempt === MAX_BEGINNINGS || !isGone(error)) throw error;
    }
  }
}

const MAX_BEGINNINGS = 8;

/** Whether no beginning is named: then it is what is kept. */
const namesNone = ({ from }: EventFilter, { cursor }: PageOptions = {}): boolean =>
  from === undefined && cursor === undefined;

/** The events before a revision have been let go of. */
const isGone = (error: unknown): boolean =>
  isPoolError(error) && error.code === 'NOT_FOUND' && error.details['first'] !== undefined;

/** It asks for more than revisions: it pays to look where that may lie. */
const isPicky = ({ types, leaseId, owner }: EventFilter): boolean =>
  types !== undefined || leaseId !== undefined || owner !== undefined;
