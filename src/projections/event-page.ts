import type { RecordedEvent } from '../model/events.ts';
import type { EventFilter, Page } from '../model/reading.ts';
import { matches, type OwnerOf } from './filter.ts';
import { pageBounds } from './page.ts';

/** Pages of a log from one revision to another, both inclusive, in order. */
export type EventSource<E> = (from: number, to: number) => AsyncIterable<readonly E[]>;

/**
 * A page of the events that the filter asks for. The cursor is the revision to go on from, so that a page never repeats an
 * event and never passes one, however the log has grown; `cursor` wins over `filter.from`. `head` is the last revision there
 * is; `next` is null once it has been reached. Throws INVALID_REQUEST for a wrong cursor or limit (1..1000, default 100).
 */
export async function eventPage<E extends RecordedEvent>(
  source: EventSource<E>,
  head: number,
  filter: EventFilter,
  page: { readonly cursor?: string; readonly limit?: number },
  ownerOf?: OwnerOf,
): Promise<Page<E>> {
  const { after, limit } = pageBounds(page);
  const to = Math.min(filter.to ?? head, head);
  const wanted: EventFilter = { ...filter, from: after ?? filter.from ?? 0 };
  const items: E[] = [];
  if (wanted.from! > to) return { items, next: null };
  for await (const events of source(wanted.from!, to)) {
    for (const event of events) {
      if (!matches(event, wanted, ownerOf)) continue;
      if (items.length === limit) return { items, next: String(event.revision) };
      items.push(event);
    }
  }
  return { items, next: null };
}
