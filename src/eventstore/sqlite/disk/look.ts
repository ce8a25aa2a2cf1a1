import { closeSync, openSync, readSync } from 'node:fs';
import type { Logger } from '../../../model/interfaces.ts';
import { DamagedLogError } from '../../errors.ts';
import { type FoundMark, type Mark, markPath, readMark } from '../high-water.ts';
import { PAGE_BYTES } from '../schema.ts';
import { verifyEnds } from '../verify.ts';
import { DiskLog, identityOf } from './disk-log.ts';
import { isBlank } from './first-page.ts';
import { Pages } from './pages.ts';
import { rowsOfImage } from './tree.ts';
import type { WalScan } from './wal-frames.ts';

/** A log that was looked at and found to hold what was written to it. */
export interface Looked {
  readonly log: DiskLog;
  readonly mark: FoundMark;
  /** A write-ahead log lies beside it that holds what the file does not: its writer was killed, or writes now. */
  readonly hasWal: boolean;
}

/**
 * Looks whether a log holds what was written to it, reading only: the write-ahead log frame by frame, that it belongs to this file and goes
 * on where that ends, the end of the log as `verifyEnds` says, and that it reaches its mark. What lies behind the mark and was torn is
 * counted and logged. Undefined if no log has been begun there. Throws DamagedLogError, or INVALID_CONFIG for another program's file.
 */
export function look(path: string, logger: Logger): Looked | undefined {
  const mark = readMark(markPath(path)); // before the log, which is never behind it
  const pages = new Pages(path, PAGE_BYTES);
  try {
    if (isNew(pages, mark)) {
      pages.close();
      return undefined;
    }
    return lookAt(pages, mark, logger);
  } catch (error) {
    pages.close();
    throw error;
  }
}

function lookAt(pages: Pages, mark: FoundMark, logger: Logger): Looked {
  const { path, wal } = pages;
  if (journalOf(path) !== undefined)
    throw new DamagedLogError(
      `${path}-journal`,
      'a log has none: this one belongs to another file, and sqlite would write it over this one',
    );
  refuseOtherWal(pages);
  const log = opened(pages);
  const isOwn = typeof mark !== 'string' && mark.id === log.identity.id;
  if (typeof mark !== 'string' && !isOwn) refuseOtherMark(mark, log);
  if (isOwn && mark.last > log.end) throw lost(log, mark.last);
  const synced = highestIn(pages, wal.synced);
  if (synced > log.end) throw lost(log, synced);
  tellOfCut(pages, Math.max(log.end, highestIn(pages, wal.behind)) - log.end, logger);
  if (typeof mark === 'string' && log.end > 0 && log.identity.origin === null)
    logger.warn({ path, mark }, 'the log has no mark: whether it has lost its end cannot be told');
  return { log, mark, hasWal: wal.frames > 0 };
}

/** Nothing lies there yet, and nothing says that anything did. */
function isNew(pages: Pages, mark: FoundMark): boolean {
  const { path, wal } = pages;
  const journal = journalOf(path);
  const isBegun = pages.fileBytes > 0 && journal?.pages !== 0 && !isBlank(pages);
  if (isBegun) return false;
  const what = pages.fileBytes === 0 ? 'the file is empty or not there' : 'no log has been begun in it';
  const last = Math.max(typeof mark === 'string' ? 0 : mark.last, highestIn(pages, wal.behind));
  if (last > 0)
    throw new DamagedLogError(
      `${path}, position 1`,
      `${what}, but it had come to ${last}: all acknowledged events are lost${breakOf(pages)}`,
    );
  if (pages.fileBytes === 0 && wal.frames + wal.behind.length > 0)
    throw new DamagedLogError(`${path}, position 1`, `${what}, but a write-ahead log with events lies beside it`);
  return true;
}

/** A rollback journal that sqlite would play back: how many pages it would leave. Ours is there only while a file is begun. */
function journalOf(path: string): { readonly pages: number } | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(`${path}-journal`, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const head = Buffer.alloc(20);
    readSync(descriptor, head, 0, 20, 0);
    return head[0] === 0 ? undefined : { pages: head.readUInt32BE(16) };
  } finally {
    closeSync(descriptor);
  }
}

/** What a write-ahead log says of itself against the file beside it. */
function refuseOtherWal(pages: Pages): void {
  const { path, wal, filePages } = pages;
  if (wal.frames === 0) return;
  const place = `${path}-wal`;
  if (wal.pageBytes !== PAGE_BYTES)
    throw new DamagedLogError(place, `it has pages of ${wal.pageBytes} bytes: it belongs to another database`);
  if (wal.databasePages < filePages)
    throw new DamagedLogError(
      place,
      `it is older than the file: it knows of ${wal.databasePages} pages, the file has ${filePages}`,
    );
  const own = alone(pages, (file) => identityOf(file).id);
  const { id } = identityOf(pages);
  if (own !== undefined && own !== id) throw new DamagedLogError(place, `it belongs to another log: ${id}, not ${own}`);
}

/** What the file says without its write-ahead log; undefined if it cannot be read so. */
function alone<T>(pages: Pages, ask: (file: Pages) => T): T | undefined {
  const file = pages.withoutWal();
  try {
    return ask(file);
  } catch {
    return undefined;
  } finally {
    file.close();
  }
}

/** The log with its ends verified; one that is damaged only together with its write-ahead log says so. */
function opened(pages: Pages): DiskLog {
  try {
    const log = new DiskLog(pages);
    verifyEnds(log, firstInWal(pages));
    const before = pages.wal.frames === 0 ? 0 : (alone(pages, endOf) ?? 0);
    if (before > log.end)
      throw new DamagedLogError(
        `${pages.path}-wal`,
        `it is older than the file: it ends at position ${log.end}, the file at ${before}`,
      );
    return log;
  } catch (error) {
    if (!(error instanceof DamagedLogError) || pages.wal.frames === 0) throw error;
    const end = alone(pages, endOf);
    if (end === undefined) throw error;
    throw new DamagedLogError(
      error.place,
      `${error.what}; without its write-ahead log the file is whole up to position ${end}: that log belongs to another file or another time, or is damaged`,
    );
  }
}

function endOf(pages: Pages): number {
  const log = new DiskLog(pages);
  verifyEnds(log);
  return log.end;
}

/** The first position whose event a write-ahead log holds. */
function firstInWal(pages: Pages): number {
  let first = Number.POSITIVE_INFINITY;
  for (const offset of pages.wal.pages.values()) first = Math.min(first, eventsOf(pages, offset).next().value ?? first);
  return first;
}

/** The last position whose event one of the frames holds; 0 if none does. */
function highestIn(pages: Pages, frames: WalScan['behind']): number {
  let last = 0;
  for (const [, offset] of frames) for (const position of eventsOf(pages, offset)) last = Math.max(last, position);
  return last;
}

/** The positions of the events that a page holds. */
function* eventsOf(pages: Pages, offset: number): Generator<number> {
  for (const [position, [, text]] of rowsOfImage(pages, pages.walPage(offset)))
    if (typeof text === 'string' && text.startsWith('{')) yield position;
}

/**
 * A copy may lie where its origin lay, beside the origin's mark. Any other file there is not the one that was served: what the mark
 * stands for is gone, and whoever meant that takes the mark away too.
 */
function refuseOtherMark(mark: Mark, { identity, pages }: DiskLog): void {
  if (identity.origin === mark.id) return;
  throw new DamagedLogError(
    markPath(pages.path),
    `it is of another log, ${mark.id}, which had come to position ${mark.last}; the file is ${identity.id}. If this file is meant to take its place, remove the mark, and start with a token floor above every token of the other`,
  );
}

function lost(log: DiskLog, last: number): DamagedLogError {
  const { runs, end, pages } = log;
  const ends = Array.from(runs.streams, (stream) => `${stream} at revision ${runs.lastRevision(stream)}`);
  return new DamagedLogError(
    `${pages.path}, position ${end + 1}`,
    `it had come to ${last}, and ${last - end} acknowledged events are lost: ${ends.join(', ') || 'nothing'} is the end of what is left${breakOf(pages)}`,
  );
}

function breakOf({ wal: { broken } }: Pages): string {
  if (broken === undefined) return '';
  return `; its write-ahead log breaks at byte ${broken.offset}, and ${broken.intactBehind} intact frames lie behind that`;
}

function tellOfCut({ path, wal }: Pages, events: number, logger: Logger): void {
  const frames = wal.unfinished + (wal.broken === undefined ? 0 : wal.broken.intactBehind + 1);
  if (wal.broken !== undefined)
    logger.warn(
      { path, frames, events, offset: wal.broken.offset },
      'the end of an append that was not acknowledged was torn: it does not count',
    );
  else if (frames > 0) logger.info({ path, frames }, 'an append was never finished: it does not count');
}
