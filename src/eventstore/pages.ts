import { invalid } from '../model/errors.ts';
import type { ReadOptions } from '../model/event-store.ts';

/** Revisions `from` to `to`, both inclusive; to be delivered last first if `backward`. */
export interface PageRange {
  readonly from: number;
  readonly to: number;
  readonly backward: boolean;
}

export const PAGE_EVENTS = 1_000;

/** The pages of a read of a stream whose last revision is `last`. A read ends where the stream ended when it began. */
export function* pageRanges(options: ReadOptions, last: number, pageEvents = PAGE_EVENTS): Generator<PageRange> {
  checkReadOptions(options);
  const backward = options.direction === 'backward';
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  let next = backward ? Math.min(options.from ?? last, last) : (options.from ?? 0);
  while (left > 0 && next >= 0 && next <= last) {
    options.signal?.throwIfAborted();
    const room = Math.min(left, pageEvents, backward ? next + 1 : last - next + 1);
    yield backward ? { from: next - room + 1, to: next, backward } : { from: next, to: next + room - 1, backward };
    left -= room;
    next += backward ? -room : room;
  }
}

function checkReadOptions({ from, limit }: ReadOptions): void {
  const isCount = (value: number | undefined) => value === undefined || (Number.isSafeInteger(value) && value >= 0);
  if (!isCount(from)) throw invalid([{ path: 'from', value: from, allowed: 'a revision, 0 or more' }]);
  if (!isCount(limit)) throw invalid([{ path: 'limit', value: limit, allowed: 'a count of events, 0 or more' }]);
}
