import type { RecordedEvent } from '../model/events.ts';
import { FIRST_CHAIN, fromRow, type Row } from './codec.ts';
import { DamagedLogError } from './errors.ts';
import type { SqliteFile } from './sqlite-file.ts';

const PAGE_ROWS = 1_000;

/** The events of one stream from `first` to `last`, both included and both there, each one verified. */
export function verifiedRange(file: SqliteFile, stream: string, first: number, last: number): RecordedEvent[] {
  const rows = file.range(stream, Math.max(0, first - 1), last);
  let previous = FIRST_CHAIN;
  if (first > 0) {
    const before = rows.shift();
    if (before?.[2] !== first - 1) throw new DamagedLogError(stream, first - 1, 'the event is missing');
    previous = before[9];
  }
  const events = rows.map((row, i) => {
    const event = fromRow(row, first + i, previous);
    previous = row[9];
    return event;
  });
  if (events.length < last - first + 1)
    throw new DamagedLogError(stream, first + events.length, 'the event is missing');
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
  throw new DamagedLogError(row[1], row[2], `position ${position} is missing before it`);
}

/** What the first row seen of a stream is chained to. From the log's start on, that must be the stream's start. */
function chainBefore(file: SqliteFile, row: Row, position: number): readonly [number, number] {
  const [, stream, revision] = row;
  if (position === 0 || revision === 0) return [-1, FIRST_CHAIN];
  const before = file.range(stream, revision - 1, revision - 1)[0];
  if (before === undefined) throw new DamagedLogError(stream, revision - 1, 'the event is missing');
  return [before[2], before[9]];
}
