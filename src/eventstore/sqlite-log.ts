import { NO_STREAM } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { FIRST_CHAIN, type Row, toRow } from './codec.ts';
import { HighWater, markPath } from './high-water.ts';
import { SqliteFile } from './sqlite-file.ts';
import { type Head, verifyOpened } from './sqlite-verify.ts';

const EMPTY: Head = { revision: NO_STREAM, checksum: FIRST_CHAIN };

/** A log open for writing: the file, how far it has come, and each stream's head. Given up as a whole after an I/O error. */
export class WritableLog {
  readonly file: SqliteFile;
  readonly #mark: HighWater;
  readonly #heads: Map<string, Head>;

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
      const { heads, torn } = verifyOpened(this.file, path, this.#mark.read(), logger);
      this.#heads = new Map(heads);
      const { end } = this.file.runs;
      if (torn) this.#mark.write({ before: end, last: end });
    } catch (error) {
      this.close();
      throw error;
    }
  }

  head(stream: string): Head {
    return this.#heads.get(stream) ?? EMPTY;
  }

  /** On the disk when it returns. If it throws, what became of the events is unknown, and this log is to be given up. */
  write(stream: string, events: readonly NewEvent[]): number {
    let { revision, checksum } = this.head(stream);
    const before = this.file.runs.end;
    let position = before;
    const rows: Row[] = [];
    for (const event of events) {
      const row = toRow(event, stream, ++revision, ++position, checksum);
      checksum = row[9];
      rows.push(row);
    }
    this.file.insert(rows, this.file.runs.next(stream));
    this.#mark.write({ before, last: position });
    this.#heads.set(stream, { revision, checksum });
    return revision;
  }

  close(): void {
    this.#mark.close();
    this.file.close();
  }
}
