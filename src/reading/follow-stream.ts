import { PAGE_EVENTS } from '../eventstore/ranges.ts';
import { piecesOf } from '../eventstore/read-range.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { EventFilter, StreamItem } from '../model/reading.ts';
import { matches, type OwnerOf } from '../projections/filter.ts';
import { readersTurn, Slice } from '../time/turn.ts';

export interface FollowOptions<E> {
  readonly signal?: AbortSignal | undefined;
  readonly ownerOf?: OwnerOf;
  /** First revision to read; default `filter.from`, or the first that is kept. Earlier events are learnt, not given. */
  readonly from?: number | undefined;
  /** Sees all that is delivered, before any of it is given. */
  readonly learn?: ((events: readonly E[]) => void) | undefined;
}

/**
 * History from `filter.from`, then live events, as far as the filter asks for them. Ends at `filter.to`, or by `signal`. Until it has
 * caught up, each page waits for its turn among the readers, and so does what is more than a slice at any time.
 */
export async function* followStream<E extends RecordedPoolEvent | RecordedAuditEvent>(
  store: EventStore,
  stream: string,
  filter: EventFilter,
  { signal, ownerOf, from = filter.from, learn }: FollowOptions<E> = {},
): AsyncGenerator<StreamItem<E>> {
  let behind = true;
  const slice = new Slice(readersTurn);
  await slice.next();
  const start = from === undefined ? {} : { from };
  for await (const item of store.subscribe(stream, { ...start, ...(signal !== undefined && { signal }) })) {
    if ('caughtUp' in item) {
      behind = false;
      yield item;
      continue;
    }
    behind ||= item.events.length >= PAGE_EVENTS;
    slice.begin();
    for (const events of piecesOf(item.events as readonly E[])) {
      learn?.(events);
      for (const event of events) {
        if (filter.to !== undefined && event.revision > filter.to) return;
        if (matches(event, filter, ownerOf)) yield { event };
        if (event.revision === filter.to) return;
      }
      if (slice.isOver) await slice.next();
    }
    if (behind) await slice.next();
  }
}
