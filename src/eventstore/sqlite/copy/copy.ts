import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { PoolError } from '../../../model/errors.ts';
import { SILENT } from '../../../model/interfaces.ts';
import { DamagedLogError } from '../../errors.ts';
import { look } from '../disk/look.ts';
import { type Pages, stampOf } from '../disk/pages.ts';
import { SqliteFile } from '../file.ts';
import { copiedIdentity } from '../schema.ts';
import { fileBytes } from '../wal/wal.ts';

export type OnPages = (done: number, total: number) => void;

/** Pages written at once, and between two looks at what else there is to do. */
const PAGES_AT_ONCE = 128;

/** Copies a log as it stands, also beside its writer, byte for byte. Throws DamagedLogError if the log is damaged at its end. */
export async function copyFile(path: string, to: string, onPages: OnPages): Promise<void> {
  if (!(await copyStill(path, to, onPages))) await copyLive(path, to, onPages);
}

/**
 * Marks a copy as one: whoever goes on with it gives no token up to `floor`; null = the usual one, above all that it knows of by then. Throws
 * LOG_UNAVAILABLE if that cannot be written (a full disk).
 */
export function markAsCopy(to: string, floor: number | null): void {
  const copy = new SqliteFile(to, false);
  try {
    copy.identify(copiedIdentity(copy.identity, floor));
    copy.settle();
  } finally {
    copy.close();
  }
}

/** Page by page, of a log that nobody writes, leaving no trace beside it; false if somebody does. */
async function copyStill(path: string, to: string, onPages: OnPages): Promise<boolean> {
  const looked = lookStill(path);
  if (looked === undefined) return false;
  const { pages } = looked;
  const descriptor = openSync(to, 'wx');
  try {
    for (let from = 1; from <= pages.count && !pages.haveMoved; from += PAGES_AT_ONCE) {
      const count = Math.min(PAGES_AT_ONCE, pages.count - from + 1);
      writeAll(descriptor, Buffer.concat(Array.from({ length: count }, (_, i) => pages.page(from + i))));
      onPages(from + count - 1, pages.count);
      await turn();
    }
    fsyncSync(descriptor);
    if (!pages.haveMoved) return true;
    rmSync(to);
    return false;
  } finally {
    closeSync(descriptor);
    pages.close();
  }
}

/** Undefined if what looks like damage may be a writer at work. */
function lookStill(path: string): { readonly pages: Pages } | undefined {
  const before = stampOf(path);
  try {
    return look(path, SILENT)?.log;
  } catch (error) {
    if (error instanceof DamagedLogError && stampOf(path) !== before) return undefined;
    throw error;
  }
}

async function copyLive(path: string, to: string, onPages: OnPages): Promise<void> {
  const file = new SqliteFile(path, true);
  try {
    await file.copyTo(to, onPages);
  } finally {
    file.close();
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(descriptor, bytes, done);
}

/** Throws INVALID_REQUEST if something lies at the place of a new file. */
export function refuseExisting(to: string): void {
  const there = ['', '-wal', '.mark', '-journal'].find((end) => existsSync(`${to}${end}`));
  if (there !== undefined)
    throw new PoolError(
      'INVALID_REQUEST',
      `--to ${to}: ${to}${there} exists already; allowed: a file that does not exist`,
    );
}

/**
 * Gives a file that was written beside its name, on the disk and at once. What has come to lie there meanwhile stays (INVALID_REQUEST).
 * The file alone gets the name, so one whose write-ahead log or journal holds a part of it is refused.
 */
export function publish(part: string, to: string): void {
  const rest = ['-wal', '-journal'].find((end) => fileBytes(`${part}${end}`) > 0);
  if (rest !== undefined) throw new Error(`${part} is not whole by itself: a part of it lies in ${part}${rest}`);
  sync(part);
  try {
    linkSync(part, to);
    unlinkSync(part);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' || existsSync(to)) refuseExisting(to);
    renameSync(part, to); // a file system without links
  }
  sync(dirname(to));
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Of a copy that was not finished. */
export function discard(part: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${part}${end}`, { force: true });
}
