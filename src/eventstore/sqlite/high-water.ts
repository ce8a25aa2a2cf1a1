import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** How far the log had come, and of which file it was. */
export interface Mark {
  /** The id that the file says of itself. */
  readonly id: string;
  /** The position of the last event. */
  readonly last: number;
  /** The highest fencing token among its events that the writer has seen; 0 = none. */
  readonly token: number;
}

const ID_BYTES = 36;
const SUM_AT = ID_BYTES + 16;
const BYTES = SUM_AT + 4;

export const markPath = (logPath: string): string => `${logPath}.mark`;

/**
 * A small file that remembers how far the log had come. Written after the commit of each append is on the disk, so a log that ends before
 * its mark has lost what was acknowledged. Not synced: it may be behind after a power cut, never ahead. A mark that is not whole says nothing.
 * Made by the first write, so that a log that is only looked at gets none.
 */
export class HighWater {
  readonly #path: string;
  readonly #bytes = Buffer.alloc(BYTES);
  #descriptor: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  write({ id, last, token }: Mark): void {
    this.#descriptor ??= openSync(this.#path, constants.O_RDWR | constants.O_CREAT);
    this.#bytes.write(id, 0, ID_BYTES, 'latin1');
    this.#bytes.writeDoubleLE(last, ID_BYTES);
    this.#bytes.writeDoubleLE(token, ID_BYTES + 8);
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(0, SUM_AT)), SUM_AT);
    const written = writeSync(this.#descriptor, this.#bytes, 0, BYTES, 0);
    if (written !== BYTES) throw new Error(`${written} of the ${BYTES} bytes of the high-water mark were written`);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

/** What the mark says; `absent`: there is none; `broken`: it is not whole. */
export type FoundMark = Mark | 'absent' | 'broken';

/** One that is just being written is read again. */
const LOOKS = 3;

export function readMark(path: string): FoundMark {
  let found: FoundMark = 'broken';
  for (let i = 0; i < LOOKS && found === 'broken'; i++) found = readOnce(path);
  return found;
}

function readOnce(path: string): FoundMark {
  let descriptor: number;
  try {
    descriptor = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent';
    throw error;
  }
  try {
    const bytes = Buffer.alloc(BYTES);
    const isWhole = readSync(descriptor, bytes, 0, BYTES, 0) === BYTES;
    return isWhole && bytes.readUInt32LE(SUM_AT) === crc32(bytes.subarray(0, SUM_AT)) ? markOf(bytes) : 'broken';
  } finally {
    closeSync(descriptor);
  }
}

const markOf = (bytes: Buffer): Mark => ({
  id: bytes.toString('latin1', 0, ID_BYTES),
  last: bytes.readDoubleLE(ID_BYTES),
  token: bytes.readDoubleLE(ID_BYTES + 8),
});
