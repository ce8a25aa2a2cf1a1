import { crc32 } from 'node:zlib';
import type { NewEvent, RecordedEvent } from '../model/events.ts';
import { damagedAt } from './errors.ts';

/** One event as a row: position, stream, revision, id, type, schema version, at, data, metadata, checksum. */
export type Row = readonly [
  position: number,
  stream: string,
  revision: number,
  id: string,
  type: string,
  schemaVersion: number,
  at: number,
  data: string,
  metadata: string,
  checksum: number,
];

/** The checksum that the first event of a stream is chained to. */
export const FIRST_CHAIN = 0;

/**
 * The CRC-32 of a row's fields, continued from the row before it in its stream. It finds every flipped bit of a row, and a row
 * that was changed, moved, dropped or put between others with a certainty of 1 - 2^-32. It is a guard against rot, not
 * against somebody who writes on purpose. CRC-32 because node:zlib has it natively and it costs less than parsing the row.
 */
export function chain(previous: number, row: Row): number {
  const [position, stream, revision, id, type, schemaVersion, at, data, metadata] = row;
  const fields = `${position}\n${stream}\n${revision}\n${id}\n${type}\n${schemaVersion}\n${at}\n${data}\n${metadata}`;
  return crc32(fields, previous >>> 0); // a rotten one may be no 32 bits any more: then it does not fit
}

/** The row of an event. JSON.stringify writes no line breaks, so the fields of the checksum cannot run into each other. */
export function toRow(event: NewEvent, stream: string, revision: number, position: number, previous: number): Row {
  const { id, type, schemaVersion, at } = event;
  const [data, metadata] = [JSON.stringify(event.data), JSON.stringify(event.metadata)];
  const row: Written = [position, stream, revision, id, type, schemaVersion, at, data, metadata, 0];
  row[9] = chain(previous, row);
  return row;
}

type Written = { -readonly [Field in keyof Row]: Row[Field] };

/** The event of a row. Throws DamagedLogError if the row is not the one that was written after `previous`. */
export function fromRow(row: Row, revision: number, previous: number): RecordedEvent {
  const [position, stream, found, id, type, schemaVersion, at, data, metadata, checksum] = row;
  if (found !== revision) throw damagedAt(stream, revision, `revision ${found} lies there, at position ${position}`);
  if (chain(previous, row) !== checksum)
    throw damagedAt(stream, revision, `the checksum at position ${position} does not fit`);
  return { id, type, schemaVersion, at, data: JSON.parse(data), metadata: JSON.parse(metadata), stream, revision };
}
