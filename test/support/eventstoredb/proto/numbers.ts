import { HandlerException } from '../grpc/status.ts';
import type { Position } from '../log/positions.ts';
import { TOMBSTONE_REVISION } from '../log/record.ts';
import { Expected } from '../write/append-rules.ts';

const UINT64_MAX = 2n ** 64n - 1n;
const LONG_MAX = 2n ** 63n - 1n;

/**
 * An unsigned 64-bit text as a number: 2^64-1 is -1, and what a number cannot hold becomes the largest safe one, which
 * lies beyond every revision and position. Other values above 2^63-1 are out of range in the server too.
 */
function fromUint64(text: string): number {
  const value = BigInt(text);
  if (value === UINT64_MAX) return -1;
  if (value > LONG_MAX) {
    throw new HandlerException("Specified argument was out of the range of valid values. (Parameter 'value')");
  }
  return value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : Number(value);
}

export const revisionFrom = fromUint64;

/** An expected version: its number, and the text it is echoed with, which may be too wide for a number. */
export interface ExpectedVersion {
  readonly version: number;
  readonly text: string;
}

export const ANY: ExpectedVersion = { version: Expected.any, text: String(Expected.any) };
export const NO_STREAM_EXPECTED: ExpectedVersion = { version: Expected.noStream, text: String(Expected.noStream) };
export const STREAM_EXISTS: ExpectedVersion = { version: Expected.streamExists, text: String(Expected.streamExists) };

/** The revision 2^64-1 is the number -1, and so means "no stream". */
export function expectedRevision(text: string): ExpectedVersion {
  const version = fromUint64(text);
  return { version, text: version === -1 ? '-1' : BigInt(text).toString() };
}

export function positionFrom(commit: string, prepare: string): Position {
  if (BigInt(commit) < BigInt(prepare)) {
    throw new HandlerException('The commit position cannot be less than the prepare position');
  }
  return { commit: fromUint64(commit), prepare: fromUint64(prepare) };
}

/** A revision or position as it goes out: -1 is 2^64-1, and a tombstone 2^63-1. */
export function toUint64(value: number): number | bigint {
  if (value === -1) return UINT64_MAX;
  return value === TOMBSTONE_REVISION ? LONG_MAX : value;
}

export const toUint64Text = (value: number): string => BigInt(toUint64(value)).toString();

/** The same for texts in errors, which are signed. */
export const toInt64Text = (value: number): string =>
  value === TOMBSTONE_REVISION ? LONG_MAX.toString() : String(value);
