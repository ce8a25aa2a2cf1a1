import { type EventStore, NO_STREAM } from '../model/event-store.ts';
import type { RecordedEvent } from '../model/events.ts';
import { readersTurn, Slice } from '../time/turn.ts';

export interface RangeOptions {
  /** Looked at before each page. */
  readonly signal?: AbortSignal | undefined;
  /** Waited for before each page; default: the turn of one reader among others. */
  readonly turn?: () => Promise<void>;
  /** Asked when the first page's turn has come: the revision to begin at, where that moves on. Default `from`. */
  readonly begins?: (from: number, to: number) => number;
}

/** What is done with so many events at once takes no more than a slice, though it is done for the first time. */
const PIECE_EVENTS = 32;

/**
 * Pieces of a stream between two revisions, both inclusive. The event loop turns before each page of the store, and within one when the
 * slice's time is used up: who reads much holds nobody up, whatever is done with what is read.
 * What the store gives is of known types: its codec refuses others. A stream whose beginning is gone is read from where it begins now.
 */
export async function* readRange<E extends RecordedEvent>(
  store: EventStore,
  stream: string,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
  { signal, turn = readersTurn, begins = () => from }: RangeOptions = {},
): AsyncGenerator<readonly E[]> {
  const slice = new Slice(turn);
  await slice.next();
  signal?.throwIfAborted();
  const begin = begins(from, to);
  const limit = to === Number.MAX_SAFE_INTEGER ? {} : { limit: Math.max(0, to - begin + 1) };
  for await (const page of store.read(stream, { from: begin, ...limit, ...(signal && { signal }) })) {
    for (const events of piecesOf(page as readonly E[])) {
      const end = (events.at(-1)?.revision ?? 0) <= to ? events.length : events.findIndex((e) => e.revision > to);
      yield end === events.length ? events : events.slice(0, end);
      if (end < events.length || events.at(-1)?.revision === to) return;
      if (slice.isOver) await slice.next();
      signal?.throwIfAborted();
    }
    await slice.next();
    signal?.throwIfAborted();
  }
}

export function* piecesOf<E>(page: readonly E[]): Generator<readonly E[]> {
  for (let at = 0; at < page.length; at += PIECE_EVENTS) yield page.slice(at, at + PIECE_EVENTS);
}

/** The revision of the first event that the stream still has; 0 if it has none. */
export async function firstRevision(store: EventStore, stream: string): Promise<number> {
  if (store.history !== undefined) return store.history.first(stream);
  for await (const page of store.read(stream, { limit: 1 })) return page[0]?.revision ?? 0;
  return 0;
}

/** The revision of the stream's last event; -1 if it has none. */
export async function lastRevision(store: EventStore, stream: string): Promise<number> {
  for await (const page of store.read(stream, { direction: 'backward', limit: 1 }))
    return page[0]?.revision ?? NO_STREAM;
  return NO_STREAM;
}
