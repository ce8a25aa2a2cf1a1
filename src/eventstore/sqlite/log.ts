import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import type { StoreTraits } from '../../model/event-store.ts';
import type { NewEvent } from '../../model/events.ts';
import type { Logger } from '../../model/interfaces.ts';
import { tokenOf } from '../../model/values/tokens.ts';
import { type Row, toRow } from '../codec.ts';
import { DamagedLogError } from '../errors.ts';
import { isUnwritten } from './codes.ts';
import { type Looked, look } from './disk/look.ts';
import { SqliteFile } from './file.ts';
import { HighWater, markPath } from './high-water.ts';
import type { LogRows } from './log-rows.ts';
import { lastChecksum } from './verify.ts';
import { rewriteWal } from './wal/wal.ts';
import type { Checkpoint } from './wal/wal-keeper.ts';

/**
 * A log open for writing: the file, and how far it has come. Given up as a whole after an I/O error. Nothing of what lies on the disk is
 * changed before the first write: until then a log with a write-ahead log beside it is read from its pages, without sqlite, which would
 * move that into the file. So a start that is refused by whoever reads the events leaves them as they were.
 */
export class WritableLog {
  /** The highest token that is known to have been given, by the mark that lay beside the file; 0 = none. */
  readonly markedToken: number;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #mark: HighWater;
  #rows: LogRows;
  #file: SqliteFile | undefined;
  /** Of the last row. */
  #checksum: number;
  #token: number;

  /** Throws DamagedLogError if the log does not hold what was written to it, having changed nothing. */
  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    const looked = look(path, logger);
    this.#mark = new HighWater(markPath(path));
    this.markedToken = looked === undefined || typeof looked.mark === 'string' ? 0 : looked.mark.token;
    this.#token = this.markedToken;
    this.#rows = looked?.hasWal === true ? untouched(looked, path) : this.#opened(looked);
    try {
      this.#checksum = lastChecksum(this.#rows);
    } catch (error) {
      this.#rows.close(); // what sqlite has made beside the log goes with it
      throw error;
    }
  }

  get rows(): LogRows {
    return this.#rows;
  }

  /** The file, if sqlite has it open by now. */
  get opened(): SqliteFile | undefined {
    return this.#file;
  }

  /** Open in sqlite, to be written. Throws HeldLogError if another program keeps it from that: then it is as it was. */
  get file(): SqliteFile {
    this.#file ??= this.#settled();
    return this.#file;
  }

  /** The last revision of `stream`; -1 if there is none. */
  lastRevision(stream: string): number {
    return this.#rows.runs.lastRevision(stream);
  }

  /** On the disk when it returns. If it throws, what became of the events is unknown, and this log is to be given up. */
  write(stream: string, events: readonly NewEvent[]): number {
    const { runs } = this.file;
    const before = runs.end;
    let revision = runs.lastRevision(stream);
    let checksum = this.#checksum;
    const rows: Row[] = [];
    for (const event of events) {
      const row = toRow(event, stream, ++revision, before + rows.length + 1, checksum);
      checksum = row[2];
      rows.push(row);
    }
    this.file.insert(rows, runs.next(stream));
    this.#checksum = checksum;
    this.#remember(events);
    return revision;
  }

  /** A try whose outcome was unknown has written these events, which lie on the disk: now they are acknowledged, and the mark says so. */
  found(events: readonly NewEvent[]): void {
    this.#remember(events);
  }

  #remember(events: readonly NewEvent[]): void {
    for (const event of events) this.#token = Math.max(this.#token, tokenOf(event));
    const { identity, runs } = this.#rows;
    this.#mark.write({ id: identity.id, last: runs.end, token: this.#token });
  }

  /** At the end: what fits of the write-ahead log is moved into the file, but of a log that was never written nothing is touched. */
  finish(): void {
    if (this.#file === undefined || this.#moved(this.#file) !== 'noRoom') this.close();
    else this.abandon();
  }

  close(): void {
    this.#mark.close();
    this.#rows.close();
  }

  /** Leaves everything as it lies: what has not been moved into the file stays in the write-ahead log. */
  abandon(): void {
    this.#mark.close();
    if (this.#file === undefined) this.#rows.close();
    else this.#file.abandon();
  }

  #opened(looked: Looked | undefined): SqliteFile {
    try {
      return this.#inSqlite(looked?.log.end ?? 0);
    } finally {
      looked?.log.close();
    }
  }

  /** The log that was only read is opened in sqlite, and what was left in its write-ahead log is moved into the file, if it can be now. */
  #settled(): SqliteFile {
    const before = this.#rows;
    const file = this.#inSqlite(before.runs.end);
    this.#rows = file;
    before.close();
    const ended = this.#moved(file);
    if (ended !== 'done')
      this.#logger.info(
        { path: this.#path },
        `${KEPT_BY[ended]} the WAL that was left from being moved into the file; it has been synced`,
      );
    return file;
  }

  /** `end`: as it was read without sqlite. */
  #inSqlite(end: number): SqliteFile {
    const file = new SqliteFile(this.#path, false);
    try {
      file.look();
      if (file.runs.end !== end)
        throw new DamagedLogError(this.#path, `sqlite reads ${file.runs.end} events of it, of ${end}`);
    } catch (error) {
      file.abandon();
      throw error;
    }
    this.#file = file;
    return file;
  }

  /** What a write that was refused leaves in the write-ahead log stays there; if anything else fails, the log is left as it lies. */
  #moved(file: SqliteFile): Checkpoint {
    try {
      return file.checkpoint('TRUNCATE');
    } catch (error) {
      if (isUnwritten(error)) return 'noRoom';
      this.abandon();
      throw error;
    }
  }
}

const KEPT_BY: Readonly<Record<Exclude<Checkpoint, 'done'>, string>> = {
  held: 'a reader keeps',
  noRoom: 'the full disk keeps',
};

/**
 * A write-ahead log is left by a writer that was killed, perhaps right after a failed sync: then what lies in it may be in the kernel's cache
 * alone. The same bytes are written once more and synced, so that what is read of it can be relied on.
 */
function untouched({ log }: Looked, path: string): LogRows {
  try {
    for (const each of [path, `${path}-wal`, dirname(path)]) accessSync(each, constants.W_OK);
    rewriteWal(path);
    return log;
  } catch (error) {
    log.close();
    throw error;
  }
}

/** What a copy says of itself, for whoever gives tokens on it. */
export function restoredBy({
  rows,
  markedToken,
}: Pick<WritableLog, 'rows' | 'markedToken'>): Pick<StoreTraits, 'restored'> {
  const { id, origin, floor } = rows.identity;
  return origin === null ? {} : { restored: { fileId: id, floor, token: markedToken } };
}
