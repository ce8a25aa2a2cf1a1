import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import type { StoreTraits } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { tokenOf } from '../model/tokens.ts';
import { type Row, toRow } from './codec.ts';
import { type Looked, look } from './disk/look.ts';
import { DamagedLogError } from './errors.ts';
import { HighWater, markPath } from './high-water.ts';
import type { LogRows } from './log-rows.ts';
import { SqliteFile } from './sqlite-file.ts';
import { lastChecksum } from './sqlite-verify.ts';
import { rewriteWal } from './wal.ts';

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

  /** Open in sqlite, to be written. */
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
    const { runs, identity } = this.file;
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
    for (const event of events) this.#token = Math.max(this.#token, tokenOf(event));
    this.#mark.write({ id: identity.id, last: runs.end, token: this.#token });
    return revision;
  }

  /** What lies in the write-ahead log is moved into the file; false if a reader keeps it from that. */
  settle(): boolean {
    return this.file.checkpoint('TRUNCATE');
  }

  /** At the end: as `settle`, but of a log that was never written nothing is touched. */
  tidy(): void {
    this.#file?.checkpoint('TRUNCATE');
  }

  close(): void {
    this.#mark.close();
    this.#rows.close();
  }

  #opened(looked: Looked | undefined): SqliteFile {
    const file = new SqliteFile(this.#path, false);
    try {
      file.look();
      if (file.runs.end !== (looked?.log.end ?? 0))
        throw new DamagedLogError(this.#path, `sqlite reads ${file.runs.end} events of it, of ${looked?.log.end ?? 0}`);
    } catch (error) {
      file.close();
      throw error;
    } finally {
      looked?.log.close();
    }
    this.#file = file;
    return file;
  }

  /** The log that was only read is opened in sqlite. */
  #settled(): SqliteFile {
    const before = this.#rows;
    const file = new SqliteFile(this.#path, false);
    this.#rows = file;
    this.#file = file;
    before.close();
    file.look();
    if (!file.checkpoint('TRUNCATE'))
      this.#logger.info(
        { path: this.#path },
        'a reader keeps the WAL that was left from being moved into the file; it has been synced',
      );
    return file;
  }
}

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
export function restoredBy({ rows, markedToken }: WritableLog): Pick<StoreTraits, 'restored'> {
  const { id, origin, floor } = rows.identity;
  return origin === null ? {} : { restored: { fileId: id, floor, token: markedToken } };
}
