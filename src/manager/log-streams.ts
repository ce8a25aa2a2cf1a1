import { type EventStore, NO_STREAM } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import type { EventFilter, StreamItem } from '../model/reading.ts';
import { matches, type OwnerOf } from '../projections/filter.ts';

/**
 * Pages of a stream between two revisions, both inclusive. What the store gives is of known types: its codec refuses others. A stream
 * whose beginning is gone is read from where it begins now.
 */
export async function* readRange<E extends RecordedEvent>(
  store: EventStore,
  stream: string,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
): AsyncIterable<readonly E[]> {
  const limit = to === Number.MAX_SAFE_INTEGER ? {} : { limit: Math.max(0, to - from + 1) };
  for await (const page of store.read(stream, { from, ...limit }) as AsyncIterable<readonly E[]>) {
    const end = (page.at(-1)?.revision ?? 0) <= to ? page.length : page.findIndex(({ revision }) => revision > to);
    yield end === page.length ? page : page.slice(0, end);
    if (end < page.length) return;
  }
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

export interface FollowOptions<E> {
  readonly signal?: AbortSignal | undefined;
  readonly ownerOf?: OwnerOf;
  /** First revision to read; default `filter.from`, or the first that is kept. Earlier events are learnt, not given. */
  readonly from?: number | undefined;
  /** Sees all that is delivered, before any of it is given. */
  readonly learn?: ((events: readonly E[]) => void) | undefined;
}

/** History from `filter.from`, then live events, as far as the filter asks for them. Ends at `filter.to`, or by `signal`. */
export async function* followStream<E extends RecordedPoolEvent | RecordedAuditEvent>(
  store: EventStore,
  stream: string,
  filter: EventFilter,
  { signal, ownerOf, from = filter.from, learn }: FollowOptions<E> = {},
): AsyncGenerator<StreamItem<E>> {
  const start = from === undefined ? {} : { from };
  for await (const item of store.subscribe(stream, { ...start, ...(signal !== undefined && { signal }) })) {
    if ('caughtUp' in item) {
      yield item;
      continue;
    }
    const events = item.events as readonly E[];
    learn?.(events);
    for (const event of events) {
      if (filter.to !== undefined && event.revision > filter.to) return;
      if (matches(event, filter, ownerOf)) yield { event };
      if (event.revision === filter.to) return;
    }
  }
}
