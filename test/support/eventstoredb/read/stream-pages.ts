import type { StreamView } from '../log/event-log.ts';
import type { LogRecord } from '../log/record.ts';
import { firstKept, isExpired } from './retention.ts';

/**
 * One page of a readable stream. `next` is the revision the next page begins at; -1 backwards at the end. A page may
 * be empty before the end: retention hides all of it.
 */
export interface StreamPage {
  readonly records: readonly LogRecord[];
  readonly next: number;
  readonly isEnd: boolean;
}

/** Up to `count` events from revision `from` on, upwards. */
export function pageForward(stream: StreamView, from: number, count: number, nowMs: number): StreamPage {
  const first = firstKept(stream);
  const end = from + count - 1;
  if (end < first) return { records: [], next: first, isEnd: false };
  const start = Math.max(from, first);
  if (start > stream.last) return { records: [], next: stream.last + 1, isEnd: true };
  const firstYoung = firstYoungRevision(stream, start, nowMs);
  if (firstYoung > stream.last) return { records: [], next: stream.last + 1, isEnd: true };
  if (firstYoung > end) return { records: [], next: firstYoung, isEnd: false };
  const lastOfPage = Math.min(end, stream.last);
  return { records: range(stream, firstYoung, lastOfPage), next: lastOfPage + 1, isEnd: end >= stream.last };
}

/** Up to `count` events from revision `from` on, downwards; a negative `from` is the end. */
export function pageBackward(stream: StreamView, from: number, count: number, nowMs: number): StreamPage {
  const first = firstKept(stream);
  const end = from < 0 ? stream.last : from;
  if (end < first) return { records: [], next: -1, isEnd: true };
  const lowest = Math.max(0, end - count + 1);
  const start = Math.max(lowest, first);
  const records = range(stream, start, Math.min(end, stream.last))
    .filter((record) => !isExpired(record, stream.metadata, nowMs))
    .reverse();
  const isCutShort = start <= stream.last && records.at(-1)?.revision !== start;
  const isEnd = lowest <= first || isCutShort;
  return { records, next: isEnd ? -1 : Math.min(start - 1, stream.last), isEnd };
}

/** The first revision from `start` on that $maxAge leaves; beyond the last one if none. Ages fall with revisions. */
function firstYoungRevision(stream: StreamView, start: number, nowMs: number): number {
  if (stream.metadata.maxAgeMs === undefined) return start;
  let low = start;
  let high = stream.last + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (isExpired(stream.recordAt(middle)!, stream.metadata, nowMs)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function range(stream: StreamView, first: number, last: number): LogRecord[] {
  const records: LogRecord[] = [];
  for (let revision = first; revision <= last; revision++) records.push(stream.recordAt(revision)!);
  return records;
}
