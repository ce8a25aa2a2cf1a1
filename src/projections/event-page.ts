import type { RecordedEvent } from '../model/events.ts';
import type { EventFilter, Page, PageOptions } from '../model/reading.ts';
import type { BlockIndex } from './block-index.ts';
import { matches, type OwnerOf } from './filter.ts';
import { pageBounds } from './page.ts';

/** Pages of a log from one revision to another, both inclusive, in order. */
export type EventSource<E> = (from: number, to: number) => AsyncIterable<readonly E[]>;

/** What a filter needs to know besides the events. */
export interface Finding {
  /** Where it is that what is asked for may lie; without one everywhere. */
  readonly index?: Pick<BlockIndex, 'ranges'>;
  readonly ownerOf?: OwnerOf;
}

/**
 * A page of the events that the filter asks for. The cursor is the revision to go on from, so that a page never repeats an
 * event and never passes one, however the log has grown; `cursor` wins over `filter.from`. `head` is the last revision there
 * is; `next` is null once it has been reached. Throws INVALID_REQUEST for a wrong cursor or limit (1..1000, default 100).
 */
export async function eventPage<E extends RecordedEvent>(
  source: EventSource<E>,
  head: number,
  filter: EventFilter,
  page: PageOptions,
  finding: Finding = {},
): Promise<Page<E>> {
  const { after, limit } = pageBounds(page);
  const wanted: EventFilter = { ...filter, from: after ?? filter.from ?? 0 };
  const items: E[] = [];
  for await (const event of eventsIn(source, head, wanted, finding)) {
    if (items.length === limit) return { items, next: String(event.revision) };
    items.push(event);
  }
  return { items, next: null };
}

/** The events up to `head` that the filter asks for, in order. Only what the index does not rule out is read. */
export async function* eventsIn<E extends RecordedEvent>(
  source: EventSource<E>,
  head: number,
  filter: EventFilter,
  { index = EVERYWHERE, ownerOf }: Finding = {},
): AsyncGenerator<E> {
  const to = Math.min(filter.to ?? head, head);
  for (const [first, last] of index.ranges(filter, filter.from ?? 0, to))
    for await (const events of source(first, last))
      for (const event of events) if (matches(event, filter, ownerOf)) yield event;
}

const EVERYWHERE: Required<Finding>['index'] = {
  *ranges(_filter, from, to) {
    if (from <= to) yield [from, to];
  },
};
