import { backup, DatabaseSync, type StatementSync } from 'node:sqlite';
import { isPoolError, PoolError } from '../../model/errors.ts';
import type { Row } from '../codec.ts';
import { DamagedLogError, HeldLogError } from '../errors.ts';
import { isDamage, isHeld } from './codes.ts';
import { heldBySqlite } from './disk/raw-files.ts';
import type { LogRows } from './log-rows.ts';
import { closeAsItIs, openToRead } from './open.ts';
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
} from './schema.ts';
import { type Counted, checkpointBeside } from './wal/checkpoint-beside.ts';
import { fileBytes, freeBytes, fullDisk, reserveWal } from './wal/wal.ts';
import type { Checkpoint } from './wal/wal-keeper.ts';

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

/** Of the write-ahead log: its header, and the header of each page in it. */
const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** From sqlite 3.51 on the WAL's frames can be counted without a checkpoint; before, that it was cut from outside is not noticed. */
const COUNTS_FRAMES = isAtLeast(process.versions['sqlite'], 3, 51);
/** So much stays free when the file grows: the next append must find room. */
const SPARE_BYTES = 2 ** 16;

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
  readonly #frames: StatementSync;
  #walBytes = 0;
  #walReserved = false;
  #knownPageBytes = 0;

  /** Throws DamagedLogError if it is no whole database, INVALID_CONFIG if it is another program's. */
  constructor(path: string, readOnly: boolean, identity: FileIdentity = newIdentity()) {
    this.#path = path;
    this.runs = new Runs(path);
    this.#db = readOnly ? openToRead(path) : new DatabaseSync(path, { timeout: 0 });
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
      this.#frames = this.#db.prepare('PRAGMA wal_checkpoint(NOOP)');
      if (!readOnly) this.#walBytes = this.walEnd;
    } catch (error) {
      this.close();
      throw cannotOpen(error, path);
    }
  }

  /** What has been written to the WAL since a checkpoint was last tried, bytes; an estimate, rather too high. */
  get walBytes(): number {
    return this.#walBytes;
  }

  /** Where the frames of the WAL end, bytes: its file is never shorter. */
  get walEnd(): number {
    if (!COUNTS_FRAMES) return 0;
    const { log } = this.#frames.get() as unknown as Counted;
    return log > 0 ? WAL_HEADER_BYTES + log * (FRAME_HEADER_BYTES + this.#pageBytes()) : 0;
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
   * All rows in one transaction, with the run that they begin, on the disk when it returns. Throws HeldLogError if it could not be
   * begun, and nothing was written; else whatever sqlite says, and then what became of them is unknown.
   */
  insert(rows: readonly Row[], run: Run | undefined): void {
    if (rows.length === 1 && run === undefined) this.#sound(() => this.#insert.run(...rows[0]!));
    else {
      this.#sound(() => this.#begin.run());
      this.#whole(() => {
        if (run !== undefined) this.#insertRun.run(...run);
        for (const row of rows) this.#insert.run(...row);
        this.#commit.run();
      });
    }
    this.#walBytes += walBytesOf(rows);
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

  /**
   * Moves the WAL into the file and syncs that: nothing of it, if the file has no room to grow by all of it. TRUNCATE: and the WAL is
   * begun anew, as an empty file. `held`: a reader, or another program's lock, kept it from being finished.
   */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): Checkpoint {
    this.#walBytes = 0;
    if (!this.#hasRoom()) return 'noRoom';
    return endOf(this.#db.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as unknown as Counted);
  }

  /** The whole WAL is moved into the file, which then holds everything by itself. Throws LOG_UNAVAILABLE with what kept it from that. */
  settle(): void {
    const ended = this.checkpoint('TRUNCATE');
    if (ended === 'done') return;
    const why =
      ended === 'held'
        ? 'another program reads it or holds its lock'
        : `the disk is full: ${freeBytes(this.#path)} bytes are free, and it takes ${this.#growth() + SPARE_BYTES}`;
    throw new PoolError('LOG_UNAVAILABLE', `${this.#path} cannot be made whole: ${why}`);
  }

  /** A checkpoint in a thread of its own. After TRUNCATE the WAL may be given its size anew. */
  async checkpointBeside(mode: 'PASSIVE' | 'TRUNCATE'): Promise<Checkpoint> {
    this.#walBytes = 0;
    if (!this.#hasRoom()) return 'noRoom';
    const ended = endOf(await checkpointBeside(this.#path, mode));
    if (mode === 'TRUNCATE' && ended === 'done') this.#walReserved = false;
    return ended;
  }

  get walFileBytes(): number {
    return fileBytes(`${this.#path}-wal`);
  }

  /** Whether another program lets a transaction begin now. */
  canBegin(): boolean {
    try {
      this.#begin.run();
    } catch (error) {
      if (isHeld(error)) return false;
      throw error;
    }
    this.#db.exec('ROLLBACK');
    return true;
  }

  /** After a write that found no room: nothing of it stands, and the connection is as it was. */
  rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }

  /** Leaves the WAL as it lies. */
  abandon(): void {
    closeAsItIs(this.#db, this.#path);
    this.#released();
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

  /** What writes inside a transaction: what sqlite says of a lock here says nothing of what was written. */
  #whole(write: () => void): void {
    try {
      write();
    } catch (error) {
      throw asDamage(error, this.#path);
    }
  }

  /** What begins a transaction, if only its own: a lock that somebody else has is a definite no. */
  #sound<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw isHeld(error) ? new HeldLogError(this.#path, error) : asDamage(error, this.#path);
    }
  }

  #pragma(name: string): number {
    return Object.values(this.#db.prepare(`PRAGMA ${name}`).get() ?? {})[0] as number;
  }

  #pageBytes(): number {
    this.#knownPageBytes ||= this.#pragma('page_size');
    return this.#knownPageBytes;
  }

  /** What the file is short of all its pages while some lie in the WAL, bytes. */
  #growth(): number {
    return this.#pragma('page_count') * this.#pageBytes() - fileBytes(this.#path);
  }

  #hasRoom(): boolean {
    const growth = this.#growth();
    return growth <= 0 || freeBytes(this.#path) >= growth + SPARE_BYTES;
  }
}

function isAtLeast(version: string | undefined, major: number, minor: number): boolean {
  const [ourMajor = 0, ourMinor = 0] = (version ?? '').split('.').map(Number);
  return ourMajor > major || (ourMajor === major && ourMinor >= minor);
}

const endOf = ({ busy, log, checkpointed }: Counted): Checkpoint =>
  busy === 0 && checkpointed === log ? 'done' : 'held';

/** What node says of a stored integer above 2^53 - 1: we write none. */
const NUMBER_TOO_LARGE = 'ERR_OUT_OF_RANGE';

function cannotOpen(error: unknown, path: string): unknown {
  const known = asDamage(error, path);
  if (known !== error || isPoolError(error) || error instanceof DamagedLogError) return known;
  if (isHeld(error)) return new HeldLogError(path, error);
  const why = fullDisk(path) ?? (error as Error).message;
  return new PoolError('LOG_UNAVAILABLE', `store: ${path} cannot be opened: ${why}`, { cause: error });
}

/** What sqlite says of a file that it cannot make sense of, as what it means. */
function asDamage(error: unknown, path: string): unknown {
  const { code, message } = error as Error & { code?: string };
  return isDamage(error) || code === NUMBER_TOO_LARGE ? new DamagedLogError(path, message) : error;
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
