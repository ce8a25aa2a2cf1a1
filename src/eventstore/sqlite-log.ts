import type { NewEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { type Row, toRow } from './codec.ts';
import { HighWater, markPath } from './high-water.ts';
import { SqliteFile } from './sqlite-file.ts';
import { verifyOpened } from './sqlite-verify.ts';

/** A log open for writing: the file, and how far it has come. Given up as a whole after an I/O error. */
export class WritableLog {
  readonly file: SqliteFile;
  readonly #mark: HighWater;
  /** Of the last row. */
  #checksum: number;

  /** Throws DamagedLogError if the log does not hold what was written to it. */
  constructor(path: string, logger: Logger) {
    this.#mark = new HighWater(markPath(path));
    try {
      this.file = new SqliteFile(path, false);
    } catch (error) {
      this.#mark.close();
      throw error;
    }
    try {
      const { checksum, torn } = verifyOpened(this.file, path, this.#mark.read(), logger);
      this.#checksum = checksum;
      const { end } = this.file.runs;
      if (torn) this.#mark.write({ before: end, last: end });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The last revision of `stream`; -1 if there is none. */
  lastRevision(stream: string): number {
    return this.file.runs.lastRevision(stream);
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
    this.#mark.write({ before, last: runs.end });
    return revision;
  }

  close(): void {
    this.#mark.close();
    this.file.close();
  }

  /** Leaves everything as it lies: what has not been moved into the file stays in the write-ahead log. */
  abandon(): void {
    this.#mark.close();
    this.file.abandon();
  }
}
