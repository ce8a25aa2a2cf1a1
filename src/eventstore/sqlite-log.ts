import { PoolError } from '../model/errors.ts';
import { NO_STREAM } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { FIRST_CHAIN, type Row, toRow } from './codec.ts';
import { HighWater } from './high-water.ts';
import { SqliteFile } from './sqlite-file.ts';
import { verifiedAfter } from './sqlite-verify.ts';

interface Head {
  readonly revision: number;
  readonly checksum: number;
}

const EMPTY: Head = { revision: NO_STREAM, checksum: FIRST_CHAIN };

/** How many events at the end are verified when a log is opened; the rest are verified whenever they are read. */
const VERIFIED_ON_OPEN = 1_000;

/** A log open for writing: the file, how far it has come, and each stream's head. Given up as a whole after an I/O error. */
export class WritableLog {
  readonly file: SqliteFile;
  readonly #mark: HighWater;
  readonly #heads = new Map<string, Head>();
  #end: number;

  /** Throws DamagedLogError if the log does not hold what was written to it. */
  constructor(path: string, logger: Logger) {
    this.#mark = new HighWater(`${path}.mark`);
    try {
      this.file = new SqliteFile(path, false);
    } catch (error) {
      this.#mark.close();
      throw error;
    }
    try {
      this.#end = this.file.end();
      this.#compareMark(logger);
      this.#verifyEnd();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  head(stream: string): Head {
    const known = this.#heads.get(stream);
    if (known !== undefined) return known;
    const row = this.file.last(stream);
    const head = row === undefined ? EMPTY : { revision: row[0], checksum: row[1] };
    this.#heads.set(stream, head);
    return head;
  }

  /** On the disk when it returns. If it throws, what became of the events is unknown, and this log is to be given up. */
  write(stream: string, events: readonly NewEvent[]): number {
    let { revision, checksum } = this.head(stream);
    let position = this.#end;
    const rows: Row[] = [];
    for (const event of events) {
      const row = toRow(event, stream, ++revision, ++position, checksum);
      checksum = row[9];
      rows.push(row);
    }
    this.file.insert(rows);
    this.#mark.write({ before: this.#end, last: position });
    this.#end = position;
    this.#heads.set(stream, { revision, checksum });
    return revision;
  }

  close(): void {
    this.#mark.close();
    this.file.close();
  }

  /** A log behind its mark by more than the last append has lost what was acknowledged long ago; by less, its torn end. */
  #compareMark(logger: Logger): void {
    const mark = this.#mark.read();
    if (mark === undefined || mark.last <= this.#end) return;
    const lost = { positions: mark.last - this.#end, from: this.#end + 1 };
    if (this.#end < mark.before) {
      const message = `the log ends at position ${this.#end}, but it had come to ${mark.last}: events are lost`;
      throw new PoolError('LOG_UNAVAILABLE', message, { details: lost });
    }
    logger.warn(lost, 'the last append to the log was torn and has been cut off');
    this.#mark.write({ before: this.#end, last: this.#end });
  }

  #verifyEnd(): void {
    const pages = verifiedAfter(this.file, Math.max(0, this.#end - VERIFIED_ON_OPEN));
    while (pages.next().done !== true);
  }
}
