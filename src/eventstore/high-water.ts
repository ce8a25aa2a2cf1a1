import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';

/** How far the log had come: the position of the last event of the last append, and of the one before it. */
export interface Mark {
  readonly before: number;
  readonly last: number;
}

const BYTES = 20;

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
    const bytes = Buffer.alloc(BYTES);
    if (readSync(this.#fd, bytes, 0, BYTES, 0) !== BYTES) return undefined;
    if (bytes.readUInt32LE(16) !== crc32(bytes.subarray(0, 16))) return undefined;
    return { before: bytes.readDoubleLE(0), last: bytes.readDoubleLE(8) };
  }

  write(mark: Mark): void {
    this.#bytes.writeDoubleLE(mark.before, 0);
    this.#bytes.writeDoubleLE(mark.last, 8);
    this.#bytes.writeUInt32LE(crc32(this.#bytes.subarray(0, 16)), 16);
    writeSync(this.#fd, this.#bytes, 0, BYTES, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
