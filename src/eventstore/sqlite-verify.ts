import type { RecordedEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { FIRST_CHAIN, fromRow, type Row } from './codec.ts';
import { DamagedLogError, damagedAt } from './errors.ts';
import type { Mark } from './high-water.ts';
import { PAGE_CHARS, PAGE_EVENTS } from './ranges.ts';
import { charsOf, type SqliteFile } from './sqlite-file.ts';

/** How many events at the end are verified when a log is opened; the rest are verified whenever they are read. */
const VERIFIED_ON_OPEN = 1_000;

export interface Verified {
  /** Of the last row. */
  readonly checksum: number;
  /** The last append is not there though the mark says that it was: torn by a power cut, or rotten. */
  readonly torn: boolean;
}

/**
 * What a log must hold for its end to be trusted, whatever its size: it reaches its mark, its runs follow on each other from its
 * start to its end, and each stream's last event is what was written. So a page that hides the end of a stream, or of the
 * log, is found out here; what lies before is verified by whoever reads it. Throws DamagedLogError.
 */
export function verifyOpened(file: SqliteFile, path: string, mark: Mark | undefined, logger: Logger): Verified {
  return file.atOneMoment(() => {
    file.look();
    const { streams, end } = file.runs;
    for (const stream of streams) verifyLast(file, stream);
    const first = Math.max(1, end - VERIFIED_ON_OPEN + 1);
    if (end > 0) verifiedSpan(file, first, end);
    const checksum = file.rows(end, end)[0]?.[2] ?? FIRST_CHAIN;
    return { checksum, torn: mark !== undefined && isTorn(end, mark, path, logger) };
  });
}

function verifyLast(file: SqliteFile, stream: string): void {
  const revision = file.runs.lastRevision(stream);
  verifiedRange(file, stream, revision, revision);
}

/** A log behind its mark by more than the last append has lost what was acknowledged long ago; by less, its torn end. */
function isTorn(end: number, mark: Mark, path: string, logger: Logger): boolean {
  if (mark.last <= end) return false;
  const lost = { path, events: mark.last - end, from: end + 1 };
  if (end < mark.before)
    throw new DamagedLogError(`${path}, position ${end + 1}`, `it ends there, but had come to ${mark.last}`);
  logger.warn(lost, 'the last append to the log was torn and has been cut off');
  return true;
}

/** The events of one stream from `first` to `last`, both included and both there, each one verified. */
export function verifiedRange(file: SqliteFile, stream: string, first: number, last: number): RecordedEvent[] {
  const spans = Array.from(file.runs.spans(stream, first, last), (span) => verifiedSpan(file, ...span));
  const events = spans.length === 1 ? spans[0]! : spans.flat();
  mustBe(events, stream, first, last);
  return events;
}

/** As `verifiedRange`, but large events make it shorter: it ends with the one that brings it to `PAGE_CHARS`. */
export function verifiedPage(file: SqliteFile, stream: string, first: number, last: number): RecordedEvent[] {
  const events: RecordedEvent[] = [];
  let left = PAGE_CHARS;
  for (const [from, to] of file.runs.spans(stream, first, last)) {
    if (left <= 0) break;
    const rows = file.rowsWithin(from, to, left);
    left -= charsOf(rows);
    events.push(...verifiedRows(file, from, left > 0 ? to : rows.at(-1)![0], rows));
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
export function* verifiedAll(file: SqliteFile): Generator<RecordedEvent[]> {
  const { end } = file.runs;
  for (let first = 1; first <= end; ) {
    const to = Math.min(end, first + PAGE_EVENTS - 1);
    const rows = file.rowsWithin(first, to, PAGE_CHARS);
    const page = verifiedRows(file, first, charsOf(rows) < PAGE_CHARS ? to : rows.at(-1)![0], rows);
    first += page.length;
    yield page;
  }
}

/** The events at the positions from `first` to `last`, each one verified. */
const verifiedSpan = (file: SqliteFile, first: number, last: number): RecordedEvent[] =>
  verifiedRows(file, first, last, file.rows(first, last));

/** `rows`: those at the positions from `first` to `last`, as far as they are there. */
function verifiedRows(file: SqliteFile, first: number, last: number, rows: readonly Row[]): RecordedEvent[] {
  let previous = first === 1 ? FIRST_CHAIN : present(file, file.rows(first - 1, first - 1)[0], first - 1)[2];
  const events: RecordedEvent[] = [];
  for (let position = first; position <= last; position++) {
    const row = present(file, rows[position - first], position);
    const event = fromRow(row, previous);
    if (event === undefined) throw damaged(file, position, 'the checksum does not fit');
    previous = row[2];
    events.push(event);
  }
  return events;
}

function present(file: SqliteFile, row: Row | undefined, position: number): Row {
  if (row?.[0] === position) return row;
  throw damaged(file, position, 'the event is missing');
}

function damaged(file: SqliteFile, position: number, what: string): DamagedLogError {
  const [, stream, revision] = file.runs.at(position);
  return damagedAt(stream, revision, `${what}, at position ${position}`);
}
