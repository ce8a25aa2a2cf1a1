import { backup, DatabaseSync, type StatementSync } from 'node:sqlite';
import { isPoolError, PoolError } from '../model/errors.ts';
import type { Row } from './codec.ts';
import { heldBySqlite } from './disk/raw-files.ts';
import { DamagedLogError } from './errors.ts';
import type { LogRows } from './log-rows.ts';
import { type Run, Runs } from './runs.ts';
import {
  type FileIdentity,
  FORMAT,
  type IdentityRow,
  identityFrom,
  identityRow,
  newIdentity,
  PAGE_BYTES,
  READ_IDENTITY,
  refuseOthers,
  SCHEMA,
  WRITE_IDENTITY,
} from './sqlite-schema.ts';
import { reserveWal } from './wal.ts';

/** A transaction is begun on a file that may not be written too; only a write finds that out. */
const TRY_TO_WRITE = `BEGIN IMMEDIATE; PRAGMA user_version = ${FORMAT}; ROLLBACK`;

/** Runs that do not begin with the event that they say. */
const WRONG_RUNS = `
  SELECT runs.position FROM runs LEFT JOIN log USING (position)
  WHERE log.stream IS NOT runs.stream OR log.revision IS NOT runs.revision LIMIT 1`;

/** What a commit writes besides the pages that its rows fill: the page before, and sometimes the ones above. */
const EXTRA_PAGES = 1;
/** What a row takes besides its event; rounded up. */
const ROW_BYTES = 32;

/** Of a copy, so many pages at once: a few ms. */
const COPIED_PAGES = 512;

/** One open connection with its prepared statements. Given up as a whole after an I/O error. */
export class SqliteFile implements LogRows {
  readonly runs: Runs;
  readonly identity: FileIdentity;
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #released: () => void;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #insert: StatementSync;
  readonly #insertRun: StatementSync;
  readonly #rows: StatementSync;
  readonly #runsAfter: StatementSync;
  readonly #end: StatementSync;
  #walBytes = 0;
  #walReserved = false;

  /** Throws DamagedLogError if it is no whole database, INVALID_CONFIG if it is another program's. */
  constructor(path: string, readOnly: boolean, identity: FileIdentity = newIdentity()) {
    this.#path = path;
    this.runs = new Runs(path);
    this.#db = new DatabaseSync(path, { readOnly, timeout: readOnly ? 1_000 : 0 });
    this.#released = heldBySqlite(path);
    try {
      prepareFile(this.#db, path, readOnly, identity);
      this.identity = readIdentity(this.#db, path);
      const arrays = (sql: string) => {
        const statement = this.#db.prepare(sql);
        statement.setReturnArrays(true);
        return statement;
      };
      this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
      this.#commit = this.#db.prepare('COMMIT');
      this.#insert = this.#db.prepare('INSERT INTO events (position, event, checksum) VALUES (?, ?, ?)');
      this.#insertRun = this.#db.prepare('INSERT INTO runs (position, stream, revision) VALUES (?, ?, ?)');
      this.#rows = arrays(
        'SELECT position, event, checksum FROM events WHERE position BETWEEN ? AND ? ORDER BY position',
      );
      this.#runsAfter = arrays('SELECT position, stream, revision FROM runs WHERE position > ? ORDER BY position');
      this.#end = arrays('SELECT max(position) FROM events');
    } catch (error) {
      this.close();
      throw cannotOpen(error, path);
    }
  }

  /** What has been written to the WAL since a checkpoint was last tried, bytes; an estimate, rather too high. */
  get walBytes(): number {
    return this.#walBytes;
  }

  get walReserved(): boolean {
    return this.#walReserved;
  }

  /** Once; between two commits. */
  reserveWal(): void {
    this.#walReserved = true;
    reserveWal(this.#path);
  }

  /**
   * All rows in one transaction, with the run that they begin, on the disk when it returns. Throws whatever sqlite says; then what
   * became of them is unknown.
   */
  insert(rows: readonly Row[], run: Run | undefined): void {
    this.#walBytes += walBytesOf(rows);
    const isOne = rows.length === 1 && run === undefined;
    this.#sound(() => {
      if (!isOne) this.#begin.run();
      if (run !== undefined) this.#insertRun.run(...run);
      for (const row of rows) this.#insert.run(...row);
      if (!isOne) this.#commit.run();
    });
    this.runs.grow(run === undefined ? [] : [run], rows.at(-1)![0]);
  }

  /** The rows at the positions from `first` to `last`, both included, as far as they are there. */
  rows(first: number, last: number): Row[] {
    return this.#sound(() => this.#rows.all(first, last)) as unknown as Row[];
  }

  /** Takes in what has been written since the last look, by this process or another. Throws DamagedLogError. */
  look(): void {
    this.atOneMoment(() => {
      const [end] = this.#end.get() as unknown as readonly [number | null];
      const runs = end === this.runs.end ? [] : (this.#runsAfter.all(this.runs.lastPosition) as unknown as Run[]);
      this.runs.grow(runs, end ?? 0);
    });
  }

  /** What `work` reads is of one moment, whatever a writer beside does. */
  atOneMoment<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    return this.#sound(() => {
      this.#db.exec('BEGIN');
      try {
        return work();
      } finally {
        if (this.#db.isTransaction) this.#db.exec('COMMIT');
      }
    });
  }

  /** Reads every page, and compares the runs with their events. Throws DamagedLogError. Takes about a second for each 200 MB. */
  checkWhole(): void {
    const rows = this.#sound(() => this.#db.prepare('PRAGMA integrity_check').all()) as { integrity_check: string }[];
    const wrong = rows.map((row) => row.integrity_check).filter((line) => line !== 'ok');
    if (wrong.length > 0) throw new DamagedLogError(this.#path, wrong.slice(0, 3).join('; '));
    const run = this.#sound(() => this.#db.prepare(WRONG_RUNS).get()) as { position: number } | undefined;
    if (run !== undefined) throw new DamagedLogError(this.#path, `no run begins at position ${run.position}`);
  }

  /** Moves the WAL into the file and syncs that. False if a reader kept it from being finished. */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): boolean {
    this.#walBytes = 0;
    const { busy } = this.#db.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as { busy: number };
    return busy === 0;
  }

  /** Says what the file is from now on. */
  identify(identity: FileIdentity): void {
    this.#db.prepare(WRITE_IDENTITY).run(...identityRow(identity));
  }

  /** Copies the file as it stands now, in steps between which this thread does other things; its writer is not held up. */
  async copyTo(path: string, onPages: (done: number, total: number) => void): Promise<void> {
    this.#db.exec('BEGIN'); // of one moment: without it each write beside would begin the copy anew
    try {
      this.#end.get();
      const progress = (step: { totalPages: number; remainingPages: number }) =>
        onPages(step.totalPages - step.remainingPages, step.totalPages);
      await backup(this.#db, path, { rate: COPIED_PAGES, progress });
    } finally {
      this.#db.exec('COMMIT');
    }
  }

  close(): void {
    this.#db.close();
    this.#released();
  }

  #sound<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw asDamage(error, this.#path);
    }
  }
}

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** What node says of a stored integer above 2^53 - 1: we write none. */
const NUMBER_TOO_LARGE = 'ERR_OUT_OF_RANGE';

function cannotOpen(error: unknown, path: string): unknown {
  const known = asDamage(error, path);
  if (known !== error || isPoolError(error) || error instanceof DamagedLogError) return known;
  return new PoolError('LOG_UNAVAILABLE', `store: ${path} cannot be opened: ${(error as Error).message}`, {
    cause: error,
  });
}

/** What sqlite says of a file that it cannot make sense of, as what it means. */
function asDamage(error: unknown, path: string): unknown {
  const { errcode = 0, code, message } = error as Error & { errcode?: number; code?: string };
  const isDamage = [SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode % 256) || code === NUMBER_TOO_LARGE;
  return isDamage ? new DamagedLogError(path, message) : error;
}

function walBytesOf(rows: readonly Row[]): number {
  let bytes = EXTRA_PAGES * PAGE_BYTES;
  for (const row of rows) bytes += ROW_BYTES + row[1].length;
  return bytes;
}

function prepareFile(db: DatabaseSync, path: string, readOnly: boolean, identity: FileIdentity): void {
  const pragma = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const isNew = pragma('schema_version') === 0;
  refuseAutoVacuum(pragma('auto_vacuum'), path);
  if (!readOnly) {
    if (!isNew) refuseOthers(pragma('application_id'), pragma('user_version'), path);
    if (isNew) db.exec(`PRAGMA page_size = ${PAGE_BYTES}`);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
    if (isNew) begin(db, identity);
    else db.exec(TRY_TO_WRITE);
  }
  refuseOthers(pragma('application_id'), pragma('user_version'), path);
}

function begin(db: DatabaseSync, identity: FileIdentity): void {
  db.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
  db.prepare(WRITE_IDENTITY).run(...identityRow(identity));
  db.exec('COMMIT');
}

/** Our files have no pages that map others: a header that says so would have pages of events written over by such. */
function refuseAutoVacuum(mode: unknown, path: string): void {
  if (mode !== 0) throw new DamagedLogError(path, `its header says auto_vacuum = ${mode}`);
}

function readIdentity(db: DatabaseSync, path: string): FileIdentity {
  const statement = db.prepare(READ_IDENTITY);
  statement.setReturnArrays(true);
  const identity = identityFrom(statement.get() as unknown as IdentityRow | undefined);
  if (identity === undefined) throw new DamagedLogError(path, 'what it says of itself is not what was written');
  return identity;
}
