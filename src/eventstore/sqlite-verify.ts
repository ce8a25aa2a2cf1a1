import type { RecordedEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { FIRST_CHAIN, fromRow, type Row } from './codec.ts';
import { DamagedLogError, damagedAt } from './errors.ts';
import type { Mark } from './high-water.ts';
import type { SqliteFile } from './sqlite-file.ts';

const PAGE_ROWS = 1_000;
/** How many events at the end are verified when a log is opened; the rest are verified whenever they are read. */
const VERIFIED_ON_OPEN = 1_000;

/** Where a stream ends. */
export interface Head {
  readonly revision: number;
  readonly checksum: number;
}

export interface Verified {
  readonly heads: ReadonlyMap<string, Head>;
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
    const heads = new Map(Array.from(streams, (stream) => [stream, verifiedHead(file, stream)]));
    const pages = verifiedAfter(file, Math.max(0, end - VERIFIED_ON_OPEN));
    while (pages.next().done !== true);
    return { heads, torn: mark !== undefined && isTorn(end, mark, path, logger) };
  });
}

function verifiedHead(file: SqliteFile, stream: string): Head {
  const revision = file.runs.lastRevision(stream);
  verifiedRange(file, stream, revision, revision);
  return { revision, checksum: file.range(stream, revision, revision)[0]![9] };
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
  const rows = file.range(stream, Math.max(0, first - 1), last);
  let previous = FIRST_CHAIN;
  if (first > 0) {
    const before = rows.shift();
    if (before?.[1] !== stream || before[2] !== first - 1) throw damagedAt(stream, first - 1, 'the event is missing');
    previous = before[9];
  }
  const events = rows.map((row, i) => {
    if (row[1] !== stream) throw damagedAt(stream, first + i, `an event of ${row[1]} lies there`);
    const event = fromRow(row, first + i, previous);
    previous = row[9];
    return event;
  });
  if (events.length < last - first + 1) throw damagedAt(stream, first + events.length, 'the event is missing');
  return events;
}

/** Every stream's events after `position` in the order of commits, in pages, each one verified. */
export function* verifiedAfter(file: SqliteFile, position: number): Generator<RecordedEvent[]> {
  const chains = new Map<string, readonly [revision: number, checksum: number]>();
  let at = position;
  for (;;) {
    const rows = file.after(at, PAGE_ROWS);
    if (rows.length === 0) return;
    yield rows.map((row) => {
      at = row[0] === at + 1 ? row[0] : gap(row, at + 1);
      const [revision, checksum] = chains.get(row[1]) ?? chainBefore(file, row, position);
      const event = fromRow(row, revision + 1, checksum);
      chains.set(row[1], [event.revision, row[9]]);
      return event;
    });
  }
}

function gap(row: Row, position: number): never {
  throw damagedAt(row[1], row[2], `position ${position} is missing before it`);
}

/** What the first row seen of a stream is chained to. From the log's start on, that must be the stream's start. */
function chainBefore(file: SqliteFile, row: Row, position: number): readonly [number, number] {
  const [, stream, revision] = row;
  if (position === 0 || revision === 0) return [-1, FIRST_CHAIN];
  const before = file.range(stream, revision - 1, revision - 1)[0];
  if (before === undefined) throw damagedAt(stream, revision - 1, 'the event is missing');
  return [before[2], before[9]];
}
