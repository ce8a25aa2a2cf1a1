import { invalid } from '../model/errors.ts';
import type { ReadOptions } from '../model/event-store.ts';

/**
 * How many events a page holds at most. A page is what a reader does between two turns of the event loop: to read, check, parse
 * and fold so many takes about a millisecond.
 */
export const PAGE_EVENTS = 256;
/** The first page of a read, in events; each one after it may be twice as long. What has not been done before takes ten times as long. */
const FIRST_PAGE_EVENTS = 32;
/** So much text a page holds at most, in UTF-16 units, but always one event. */
export const PAGE_CHARS = 256 * 1024;
/** Backwards only the last few events of a stream are read, as a rule. */
const BACKWARD_EVENTS = 16;

/**
 * The pages of one read. `last` is the stream's last revision when the read began: what is appended meanwhile is not part
 * of it. `slice` gives the revisions from `first` to `last`, both included, ascending; fewer if they are large, but never none.
 */
export function* readRange<E>(
  options: ReadOptions,
  pageEvents: number,
  last: number,
  slice: (first: number, last: number) => readonly E[],
  /** The lowest revision that a read backward goes down to. */
  lowest = 0,
): Generator<readonly E[]> {
  const { from, direction, limit } = checkedRange(options);
  const { signal } = options;
  if (direction === 'forward') {
    const first = from ?? 0;
    const end = Math.min(last, first + limit - 1);
    for (let at = first, most = Math.min(FIRST_PAGE_EVENTS, pageEvents); at <= end; ) {
      signal?.throwIfAborted();
      const page = slice(at, Math.min(end, at + most - 1));
      at += page.length;
      most = Math.min(2 * most, pageEvents);
      yield page;
    }
  } else {
    const first = Math.min(last, from ?? last);
    const end = Math.max(lowest, first - limit + 1);
    for (let at = first; at >= end; at -= BACKWARD_EVENTS) {
      signal?.throwIfAborted();
      yield whole(slice, Math.max(end, at - BACKWARD_EVENTS + 1), at).reverse();
    }
  }
}

function whole<E>(slice: (first: number, last: number) => readonly E[], first: number, last: number): E[] {
  const events: E[] = [];
  while (first + events.length <= last) events.push(...slice(first + events.length, last));
  return events;
}

/** What is asked for, with its defaults; `from` undefined = the end that the direction begins at. Throws INVALID_REQUEST. */
export function checkedRange({ from, direction = 'forward', limit = Number.MAX_SAFE_INTEGER }: ReadOptions) {
  mustBeCount('from', from ?? 0);
  mustBeCount('limit', limit);
  return { from, direction, limit };
}

function mustBeCount(path: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw invalid([{ path, value, allowed: 'a whole number, 0 or more' }]);
}
