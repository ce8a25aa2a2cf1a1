import type { EventStore } from '../model/event-store.ts';
import type { RecordedEvent } from '../model/events.ts';
import { isAuditStream } from '../model/ids.ts';
import { nextTurn } from '../time/turn.ts';
import { damagedAt } from './errors.ts';

export interface CheckReport {
  readonly events: number;
  /** The last revision of each stream. */
  readonly streams: ReadonlyMap<string, number>;
}

export interface CheckOptions {
  /** Only these; default every pool's. On a server that many pools share, reading all is as long as all of them are. */
  readonly streams?: readonly string[];
  /** Called after each page with the events read so far. */
  readonly onProgress?: (events: number) => void;
  readonly signal?: AbortSignal;
}

async function* pagesOf(
  store: EventStore,
  { streams, signal }: CheckOptions,
): AsyncGenerator<readonly RecordedEvent[]> {
  const until = signal === undefined ? {} : { signal };
  if (streams === undefined) yield* store.readAll(until);
  else for (const stream of streams) yield* store.read(stream, until);
}

/**
 * Reads the log, or some of its streams, and returns what it holds. Throws at the first damage, naming its place: DamagedLogError for a revision
 * that is missing or a checksum that does not fit, UnknownEventError for an event that this program does not know. The beginning of
 * a stream may be gone from a store with a bounded history, and that of an audit stream from a server that keeps only so much of it.
 */
export async function checkStore(store: EventStore, options: CheckOptions = {}): Promise<CheckReport> {
  const last = new Map<string, number>();
  let events = 0;
  for await (const page of pagesOf(store, options)) {
    for (const { stream, revision } of page) {
      const mayBeShort = store.history !== undefined || (store.traits.shared && isAuditStream(stream));
      const isShortened = mayBeShort && !last.has(stream);
      const expected = isShortened ? revision : (last.get(stream) ?? -1) + 1;
      if (revision !== expected) throw damagedAt(stream, expected, `revision ${revision} lies there`);
      last.set(stream, revision);
    }
    events += page.length;
    options.onProgress?.(events);
    await nextTurn();
  }
  return { events, streams: last };
}
