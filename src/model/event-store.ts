import type { PoolError } from './errors.ts';
import type { NewEvent, RecordedEvent } from './events.ts';

/** `expectedRevision` of a stream that must not exist yet; also the revision of an empty stream. */
export const NO_STREAM = -1;

/**
 * The end of an append. A conflict is an answer; so is not knowing. `failed` is a definite no: nothing was written.
 * After `unknown` only the identical batch at the identical revision may be tried, or a barrier (see RELIABILITY).
 */
export type AppendResult =
  | { readonly outcome: 'appended'; readonly revision: number }
  | { readonly outcome: 'conflict'; readonly revision: number }
  | { readonly outcome: 'unknown'; readonly cause: unknown }
  | { readonly outcome: 'failed'; readonly cause: unknown; readonly retryable: boolean };

/** How a store is, as far as it looks after that by itself. */
export interface StoreCondition {
  /** Nothing is appended any more, for good: what is open is not what lies at its place. What was acknowledged can still be read. */
  readonly poison: PoolError | undefined;
  /** Nothing could be appended when it was last tried, for another program's lock or for want of room. */
  readonly trouble: PoolError | undefined;
  /** Of the write-ahead log, bytes; and whether that is far too much, since a reader or a full disk keeps it. */
  readonly walBytes: number;
  readonly walGrown: boolean;
}

export interface ReadOptions {
  /**
   * First revision (forward, default the first that is kept) or last (backward, default the end); inclusive. NOT_FOUND with
   * `details.first` if a store with a bounded history has let it go.
   */
  readonly from?: number;
  readonly direction?: 'forward' | 'backward';
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export interface SubscribeOptions {
  /** First revision to deliver; inclusive; default the first that is kept. NOT_FOUND as with a read. */
  readonly from?: number;
  readonly signal?: AbortSignal;
}

/** Events in order, and once (and again after falling behind) the mark that history has been delivered. */
export type SubscriptionItem = { readonly events: readonly RecordedEvent[] } | { readonly caughtUp: true };

export interface StoreTraits {
  /** Appends survive the process. */
  readonly durable: boolean;
  /** Several processes may append to one stream. */
  readonly shared: boolean;
  /** Limits of one append; a larger batch is cut by the caller at a command's border. */
  readonly maxAppendEvents: number;
  /** Of the JSON of the events' data in sum; what else an event carries does not count. */
  readonly maxAppendBytes: number;
  /** The store's URL without credentials. */
  readonly url: string;
  /**
   * It is a copy that a backup or a repair made of another log, which may have gone on and given more tokens. `fileId`: of this copy;
   * `floor`: the token floor that it was made with, null = the usual one; `token`: the highest that the other is known to have given.
   */
  readonly restored?: { readonly fileId: string; readonly floor: number | null; readonly token: number };
}

export interface Snapshot {
  /** Of the last event that the state has folded. */
  readonly revision: number;
  readonly schemaVersion: number;
  readonly codeVersion: string;
  /** Plain JSON, each so small that it can be written or read at once. */
  readonly parts: Iterable<unknown>;
}

/** Snapshots are caches: deletable at any time, ignored with a warning when damaged or of another version. */
export interface SnapshotStore {
  /** Takes the parts one by one; between two of them the event loop turns. */
  save(stream: string, snapshot: Snapshot): Promise<void>;
  /** The newest that is whole; undefined if there is none. */
  load(stream: string): Promise<Snapshot | undefined>;
  delete(stream: string): Promise<void>;
}

/** What is told, in order, of each event that a store lets go of, and stands for them from then on. */
export interface Remains {
  take(event: RecordedEvent): void;
}

/** Of a store that lets go of old events by itself, each stream's oldest first. */
export interface BoundedHistory {
  /** The first revision of the stream that is still there, or the next one to come; 0 while all are there. */
  first(stream: string): number;
  /**
   * What stands for the events before `first`: the store keeps one for a stream, whoever asks, for as long as it lives. `make` makes it
   * if nothing has been let go of yet. Undefined if something has, and nobody had asked.
   */
  remains<R extends Remains>(stream: string, make: () => R): R | undefined;
}

const FOLDED: unique symbol = Symbol('folded');

/**
 * Events of one append that the engine has built and folded into its state, and that nobody changes any more. A store takes them as they
 * are: it neither looks through them nor copies them. The mark is on this very list, so one that is made of it does not have it.
 */
export type FoldedEvents = readonly RecordedEvent[] & { readonly [FOLDED]: true };

/** Marks the list itself and gives it back. Only for the engine: for what it marks nobody else vouches. */
export function asFolded(events: readonly RecordedEvent[]): FoldedEvents {
  const marked = events as readonly RecordedEvent[] & { [FOLDED]: true };
  marked[FOLDED] = true;
  return marked;
}

export const areFolded = (events: readonly NewEvent[]): events is FoldedEvents => FOLDED in events;

/**
 * The port to an event store, as narrow as the manager needs it. Every adapter passes one contract suite.
 * Events come back exactly as they went in (plain JSON), lifted to today's schema versions; an unknown type or version
 * throws naming both and the place.
 */
export interface EventStore {
  readonly traits: StoreTraits;
  /**
   * Atomic: all of `events` directly after `expectedRevision`, or none. One append in flight per stream and process.
   * The answer may be there at once: a store in this process does not make callers wait for a promise.
   * Events are looked through before anything is written, and what the caller does to them afterwards changes nothing, whatever fields
   * they have; but for those that the engine vouches for (`asFolded`). What they say of their stream and revision is ignored.
   */
  append(stream: string, events: readonly NewEvent[], expectedRevision: number): AppendResult | Promise<AppendResult>;
  /** Pages of events in order; a missing stream has none. Leaving the loop frees what the read holds. */
  read(stream: string, options?: ReadOptions): AsyncIterable<readonly RecordedEvent[]>;
  /** Every stream's events in the order they were committed. */
  readAll(options?: { readonly signal?: AbortSignal }): AsyncIterable<readonly RecordedEvent[]>;
  /** History, then live events, without gap or duplicate, over disconnects too. Ends when `signal` aborts. */
  subscribe(stream: string, options?: SubscribeOptions): AsyncIterable<SubscriptionItem>;
  readonly snapshots: SnapshotStore;
  /** Only of a store that does not keep every event for ever. */
  readonly history?: BoundedHistory;
  /** Of a store that looks after its own files; the same object for as long as it is open. */
  readonly condition?: StoreCondition;
  close(): Promise<void>;
}
