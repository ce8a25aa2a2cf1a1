import type { RecordedEvent } from '../../model/events.ts';
import { fromRow, isNext, type Row } from '../codec.ts';
import { type DamagedLogError, damagedAt } from '../errors.ts';
import { PAGE_CHARS, PAGE_EVENTS } from '../ranges.ts';
import { charsOf, type LogRows, rowsWithin } from './log-rows.ts';

/** How many events at the end are verified when a log is opened; the rest are verified whenever they are read. */
const VERIFIED_ON_OPEN = 1_000;

/**
 * What a log must hold for its end to be trusted, whatever its size: its runs follow on each other from its start to its end, each
 * stream's last event is what was written, and so are the events from `from` on, or the last thousand. So a page that hides the end of a
 * stream, or of the log, is found out here; what lies before is verified by whoever reads it. Throws DamagedLogError.
 */
export function verifyEnds(log: LogRows, from = Number.POSITIVE_INFINITY): void {
  log.atOneMoment(() => {
    log.look();
    const { streams, end } = log.runs;
    for (const stream of streams) verifyLast(log, stream);
    const first = Math.max(1, Math.min(from, end - VERIFIED_ON_OPEN + 1));
    for (let page = first; page <= end; page += PAGE_EVENTS) {
      const last = Math.min(end, page + PAGE_EVENTS - 1);
      mustFollow(log, page, last, log.rows(page, last)); // as they were written: nobody needs them as events here
    }
  });
}

function verifyLast(log: LogRows, stream: string): void {
  const revision = log.runs.lastRevision(stream);
  verifiedRange(log, stream, revision, revision);
}

/** The checksum that the next event is chained to. */
export function lastChecksum(log: LogRows): number {
  const { end } = log.runs;
  return end === 0 ? log.identity.seed : log.rows(end, end)[0]![2];
}

/** The events of one stream from `first` to `last`, both included and both there, each one verified. */
export function verifiedRange(log: LogRows, stream: string, first: number, last: number): RecordedEvent[] {
  const spans = Array.from(log.runs.spans(stream, first, last), (span) => verifiedSpan(log, ...span));
  const events = spans.length === 1 ? spans[0]! : spans.flat();
  mustBe(events, stream, first, last);
  return events;
}

/** As `verifiedRange`, but large events make it shorter: it ends with the one that brings it to `PAGE_CHARS`. */
export function verifiedPage(log: LogRows, stream: string, first: number, last: number): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  let left = PAGE_CHARS;
  for (const [from, to] of log.runs.spans(stream, first, last)) {
    if (left <= 0) break;
    const rows = rowsWithin(log, from, to, left);
    left -= charsOf(rows);
    events.push(...verifiedRows(log, from, left > 0 ? to : rows.at(-1)![0], rows));
  }
  mustBe(events, stream, first, left > 0 ? last : first + events.length - 1);
  return events;
}

function mustBe(events: readonly RecordedEvent[], stream: string, first: number, last: number): void {
  for (let i = 0; i <= last - first; i++) {
    const event = events[i];
    if (event?.stream === stream && event.revision === first + i) continue;
    const there =
      event === undefined ? 'the event is missing' : `${event.stream}, revision ${event.revision} lies there`;
    throw damagedAt(stream, first + i, there);
  }
}

/** Every stream's events in the order of commits, in pages, each one verified. */
export function* verifiedAll(log: LogRows): Generator<RecordedEvent[]> {
  const { end } = log.runs;
  for (let first = 1; first <= end; ) {
    const page = verifiedSpanWithin(log, first, end);
    first += page.length;
    yield page;
  }
}

/** The events at the positions from `first` to `last`, each one verified. */
export const verifiedSpan = (log: LogRows, first: number, last: number): RecordedEvent[] =>
  verifiedRows(log, first, last, log.rows(first, last));

/** The events from the position `first` on, a page at most: not beyond `last`, nor the event that brings it to `PAGE_CHARS`. */
export function verifiedSpanWithin(log: LogRows, first: number, last: number): RecordedEvent[] {
  const to = Math.min(last, first + PAGE_EVENTS - 1);
  const rows = rowsWithin(log, first, to, PAGE_CHARS);
  return verifiedRows(log, first, charsOf(rows) < PAGE_CHARS ? to : rows.at(-1)![0], rows);
}

/** `rows`: those at the positions from `first` to `last`, as far as they are there. */
function verifiedRows(log: LogRows, first: number, last: number, rows: readonly Row[]): RecordedEvent[] {
  mustFollow(log, first, last, rows);
  return Array.from({ length: last - first + 1 }, (_, i) => fromRow(rows[i]!));
}

/** Throws DamagedLogError at the first of the rows from `first` to `last` that is missing or is not what was written after the one before. */
function mustFollow(log: LogRows, first: number, last: number, rows: readonly Row[]): void {
  let previous = first === 1 ? log.identity.seed : present(log, log.rows(first - 1, first - 1)[0], first - 1)[2];
  for (let position = first; position <= last; position++) {
    const row = present(log, rows[position - first], position);
    if (!isNext(row, previous)) throw damaged(log, position, 'the checksum does not fit');
    previous = row[2];
  }
}

function present(log: LogRows, row: Row | undefined, position: number): Row {
  if (row?.[0] === position) return row;
  throw damaged(log, position, 'the event is missing');
}

function damaged(log: LogRows, position: number, what: string): DamagedLogError {
  const [, stream, revision] = log.runs.at(position);
  return damagedAt(stream, revision, `${what}, at position ${position}`);
}
