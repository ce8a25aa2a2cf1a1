import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** The size that the write-ahead log is kept at while a log is open to be written. */
export const WAL_BYTES = 8 * 2 ** 20;

/** So many times its size must be free on the disk before it is taken ahead. */
const FREE_SHARE = 8;
const ZEROS = 2 ** 20;

/**
 * Gives the write-ahead log of the database at `path` its size ahead, in zeros. A file that grows with each commit has its
 * metadata synced with each commit too, and that takes 2.5 times as long. sqlite's recovery ends at the first frame that is not
 * whole, so zeros behind the last frame mean nothing to it. For the one writer only, between its writes.
 *
 * A disk without the room is left as it is. Throws what fsync says: what failed to be synced may be frames that were there before.
 */
export function reserveWal(path: string): void {
  if (freeBytes(path) < FREE_SHARE * WAL_BYTES) return;
  const descriptor = openSync(`${path}-wal`, constants.O_RDWR | constants.O_CREAT, 0o644);
  try {
    const { size } = fstatSync(descriptor);
    if (size >= WAL_BYTES) return;
    fill(descriptor, size);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** With zeros from `from` to WAL_BYTES; as it was, if they do not fit. */
function fill(descriptor: number, from: number): void {
  const zeros = Buffer.alloc(ZEROS);
  try {
    for (let at = from; at < WAL_BYTES; ) at += writeSync(descriptor, zeros, 0, Math.min(ZEROS, WAL_BYTES - at), at);
  } catch {
    ftruncateSync(descriptor, from);
  }
}

export const fileBytes = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** What the disk of a file has left for it, bytes. A disk that says nothing of its size has all that is asked for. */
export function freeBytes(path: string): number {
  const { bavail, bsize, blocks } = statfsSync(dirname(path));
  return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
}

/** Less than this makes no file that sqlite needs. */
const LEAST_BYTES = 2 ** 16;

/** Says so if the disk of a file is full. */
export function fullDisk(path: string): string | undefined {
  const free = freeBytes(path);
  return free < LEAST_BYTES ? `the disk is full: ${free} bytes are free, and it takes ${LEAST_BYTES}` : undefined;
}

const BLOCK = 2 ** 20;

/**
 * Writes the bytes of the write-ahead log once more and syncs them, so that they reach the disk whatever the kernel thinks of its
 * cache: after a failed sync it may hold for clean what was never written. Before anybody opens the log. Changes no byte of it.
 */
export function rewriteWal(path: string): void {
  const wal = `${path}-wal`;
  if (!existsSync(wal)) return;
  const descriptor = openSync(wal, constants.O_RDWR);
  try {
    const end = endOf(descriptor);
    const block = Buffer.alloc(BLOCK);
    for (let at = 0; at < end; ) {
      const read = readSync(descriptor, block, 0, Math.min(BLOCK, end - at), at);
      for (let done = 0; done < read; ) done += writeSync(descriptor, block, done, read - done, at + done);
      at += read;
    }
    if (end > 0) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** But for the blocks of zeros at the end: those that were lost are zeros too. */
function endOf(descriptor: number): number {
  const [zeros, block] = [Buffer.alloc(BLOCK), Buffer.alloc(BLOCK)];
  let end = fstatSync(descriptor).size;
  while (end > 0) {
    const from = Math.max(0, end - BLOCK);
    const read = readSync(descriptor, block, 0, end - from, from);
    if (block.compare(zeros, 0, read, 0, read) !== 0) break;
    end = from;
  }
  return end;
}
