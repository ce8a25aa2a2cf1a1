import type { EventStore } from '../model/event-store.ts';
import { isAuditStream } from '../model/ids.ts';
import { damagedAt } from './errors.ts';

export interface CheckReport {
  readonly events: number;
  readonly streams: number;
}

export interface CheckOptions {
  /** Called after each page with the events read so far. */
  readonly onProgress?: (events: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads the whole log and returns what it holds. Throws at the first damage, naming its place: DamagedLogError for a revision
 * that is missing or a checksum that does not fit, UnknownEventError for an event that this program does not know. The beginning of
 * a stream may be gone from a store with a bounded history, and that of an audit stream from a server that keeps only so much of it.
 */
export async function checkStore(store: EventStore, options: CheckOptions = {}): Promise<CheckReport> {
  const last = new Map<string, number>();
  let events = 0;
  for await (const page of store.readAll(options.signal === undefined ? {} : { signal: options.signal })) {
    for (const { stream, revision } of page) {
      const mayBeShort = store.history !== undefined || (store.traits.shared && isAuditStream(stream));
      const isShortened = mayBeShort && !last.has(stream);
      const expected = isShortened ? revision : (last.get(stream) ?? -1) + 1;
      if (revision !== expected) throw damagedAt(stream, expected, `revision ${revision} lies there`);
      last.set(stream, revision);
    }
    events += page.length;
    options.onProgress?.(events);
  }
  return { events, streams: last.size };
}
