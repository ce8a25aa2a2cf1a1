import { crc32 } from 'node:zlib';
import type { NewEvent, RecordedEvent } from '../model/events.ts';

/** One event as a row: position, the event as JSON, checksum. */
export type Row = readonly [position: number, event: string, checksum: number];

/**
 * The CRC-32 of an event's text, continued from the row before it. It finds every flipped bit of a row, and a row that was
 * changed, moved, dropped or put between others with a certainty of 1 - 2^-32. It is a guard against rot, not against
 * somebody who writes on purpose. The first row is chained to a seed of the file's own, so that no row of another log goes on here. CRC-32 because node:zlib has it natively and it costs less than parsing the text.
 */
export const chain = (previous: number, event: string): number => crc32(event, previous >>> 0); // a rotten one may be no 32 bits

export function toRow(event: NewEvent, stream: string, revision: number, position: number, previous: number): Row {
  const { id, type, schemaVersion, at, data, metadata } = event;
  const text = JSON.stringify({ id, type, schemaVersion, at, data, metadata, stream, revision });
  return [position, text, chain(previous, text)];
}

/** Whether a row is the one that was written after the one with the checksum `previous`. */
export const isNext = ([, event, checksum]: Row, previous: number): boolean =>
  typeof event === 'string' && chain(previous, event) === checksum; // a rotten row may hold another type

/** The event of a row that is known to be what was written. */
export const fromRow = ([, event]: Row): RecordedEvent => JSON.parse(event) as RecordedEvent;
