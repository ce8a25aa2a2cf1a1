import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { PoolError } from '../../model/errors.ts';
import { isHeld, isMoved, isSealed, isWriteless } from './codes.ts';
import { lockPath } from './log-files.ts';

export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When it took the lock, ISO 8601. */
  readonly since: string;
}

const POLL_MS = 50;
const TO_READ = 'whoever writes a log makes files beside it; where that cannot be, it can be read';
/** A writer that has lost its lock's file notices within a second; ms. */
const NOTICED_MS = 1_500;

/**
 * The right to write a log: sqlite's RESERVED lock on a database of its own beside the log. The operating system drops it with
 * the process, however that dies, so no lock is ever stale; readers can still read in it who holds it. It is a lock of the file, not of
 * its name: whoever holds it looks each second whether the file is still there (`LogFiles`).
 */
export class WriterLock {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #token = randomUUID();
  /** Of who signed last before this one took it; undefined = nobody ever did. */
  #found: string | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#db = new DatabaseSync(path, { timeout: 0 });
  }

  /**
   * Whether the lock is held now. Nothing is written: of a start that is refused from here on the lock keeps every byte, and on a full
   * disk none is taken from what the log needs.
   */
  tryTake(): boolean {
    return this.#unlessTaken(() => {
      this.#hold();
      this.#found = tokenIn(this.#db);
      return true;
    });
  }

  /**
   * Puts the holder's name on the lock, for others to read, and says whether it is held still: to write drops it for a moment, in which
   * another may have taken it, or deleted its file. On a disk that takes no byte it is held without a name.
   */
  sign(): boolean {
    return this.#unlessTaken(() => {
      this.#rollBack();
      const isSigned = unlessWriteless(() => this.#writeHolder());
      this.#rollBack();
      this.#hold();
      const token = isSigned ? this.#token : this.#found;
      if (token === tokenIn(this.#db) && (!isSigned || token === this.#tokenAtPath())) return true;
      this.#rollBack();
      return false;
    });
  }

  /** Undefined if nobody has put a name on it yet who still runs. */
  holder(): Holder | undefined {
    try {
      const row = this.#db.prepare('SELECT pid, host, since FROM holder').get() as unknown as Holder | undefined;
      return row === undefined || isGone(row) ? undefined : row;
    } catch {
      return undefined;
    }
  }

  release(): void {
    this.#db.close();
  }

  #unlessTaken(take: () => boolean): boolean {
    try {
      return take();
    } catch (error) {
      if (!isHeld(error) && !isMoved(error)) throw error;
      this.#rollBack();
      return false;
    }
  }

  /** A transaction that only holds the lock writes nothing at all if its journal lies in memory. */
  #hold(): void {
    this.#db.exec('PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE');
  }

  /** Unless another has signed since it was taken. */
  #writeHolder(): void {
    this.#db.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; BEGIN IMMEDIATE');
    if (tokenIn(this.#db) !== this.#found) return;
    this.#db.exec(
      'CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY, token TEXT, pid INTEGER, host TEXT, since TEXT)',
    );
    const write = this.#db.prepare('REPLACE INTO holder (one, token, pid, host, since) VALUES (1, ?, ?, ?, ?)');
    write.run(this.#token, process.pid, hostname(), new Date().toISOString());
    this.#db.exec('COMMIT');
  }

  #rollBack(): void {
    if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
  }

  /** By the path, not the open file: that may have been deleted, and another made, since it was opened. */
  #tokenAtPath(): string | undefined {
    const there = new DatabaseSync(this.#path, { readOnly: true, timeout: 0 });
    try {
      return tokenIn(there);
    } finally {
      there.close();
    }
  }
}

function unlessWriteless(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (!isWriteless(error)) throw error;
    return false;
  }
}

/** Whoever looks at the log has not put its name on the lock yet, and the one before may have died. */
function isGone({ pid, host }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Undefined if nobody has signed. */
function tokenIn(db: DatabaseSync): string | undefined {
  const table = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'holder'").get();
  if (table === undefined) return undefined;
  return (db.prepare('SELECT token FROM holder').get() as { token: string } | undefined)?.token;
}

/** Takes the lock of the log at `path`, or throws LOG_UNAVAILABLE naming who holds it. */
export async function takeLock(path: string): Promise<WriterLock> {
  const lock = await unlessHeld(path);
  if (lock instanceof WriterLock) return lock;
  const { holder } = lock;
  const who = holder === undefined ? 'another process' : `pid ${holder.pid} on ${holder.host} since ${holder.since}`;
  throw new PoolError(
    'LOG_UNAVAILABLE',
    `${lockPath(path)} is held by ${who}: a log has one writer; stop it, or wait with standby`,
    { details: { holder } },
  );
}

/** Waits for the lock for as long as another holds it. Throws the signal's reason when that aborts. */
export async function awaitLock(path: string, signal?: AbortSignal): Promise<WriterLock> {
  while (!signal?.aborted) {
    const lock = await unlessHeld(path); // opened anew each time: the file may be another by now
    if (lock instanceof WriterLock) return lock;
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
  throw signal.reason;
}

/** The lock, or who holds it. */
async function unlessHeld(logPath: string): Promise<WriterLock | { readonly holder: Holder | undefined }> {
  const path = lockPath(logPath);
  const lost = !existsSync(path) && existsSync(`${logPath}-shm`);
  const lock = attempt(path);
  // Somebody may be writing whose lock was deleted: nothing is touched before that one has noticed.
  if (lost && lock instanceof WriterLock) await sleep(NOTICED_MS);
  return lock;
}

function attempt(path: string): WriterLock | { readonly holder: Holder | undefined } {
  let lock: WriterLock | undefined;
  try {
    lock = new WriterLock(path);
    if (lock.tryTake()) return lock;
    const holder = lock.holder();
    lock.release();
    return { holder };
  } catch (cause) {
    lock?.release();
    throw cannotBeLocked(path, cause);
  }
}

function cannotBeLocked(path: string, cause: unknown): PoolError {
  const advice = isSealed(cause) ? TO_READ : 'it holds no events: if no writer runs, it may be deleted';
  return new PoolError('LOG_UNAVAILABLE', `${path} cannot be locked: ${(cause as Error).message}; ${advice}`, {
    cause,
  });
}
