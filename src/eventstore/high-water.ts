import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** How far the log had come: the position of the last event of the last append, and of the one before it. */
export interface Mark {
  readonly before: number;
  readonly last: number;
}

const BYTES = 20;

export const markPath = (logPath: string): string => `${logPath}.mark`;

/**
 * A small file that remembers how far the log had come, so that a log that lost its end is found out. Written after each
 * append and not synced: it may be behind after a power cut, never ahead. A mark that is not whole says nothing.
 */
export class HighWater {
  readonly #fd: number;
  readonly #bytes = Buffer.alloc(BYTES);

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
  }

  read(): Mark | undefined {
    return readFrom(this.#fd);
  }

  write(mark: Mark): void {
    this.#bytes.writeDoubleLE(mark.before, 0);
    this.#bytes.writeDoubleLE(mark.last, 8);
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(0, 16)), 16);
    const written = writeSync(this.#fd, this.#bytes, 0, BYTES, 0);
    if (written !== BYTES) throw new Error(`${written} of the ${BYTES} bytes of the high-water mark were written`);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** The mark of a log that somebody else may be writing; undefined if there is none. */
export function readMark(path: string): Mark | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return readFrom(fd);
  } finally {
    closeSync(fd);
  }
}

function readFrom(fd: number): Mark | undefined {
  const bytes = Buffer.alloc(BYTES);
  if (readSync(fd, bytes, 0, BYTES, 0) !== BYTES) return undefined;
  if (bytes.readUInt32LE(16) !== crc32(bytes.subarray(0, 16))) return undefined;
  return { before: bytes.readDoubleLE(0), last: bytes.readDoubleLE(8) };
}
