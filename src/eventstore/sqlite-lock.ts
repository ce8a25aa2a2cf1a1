import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { PoolError } from '../model/errors.ts';

export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When it took the lock, ISO 8601. */
  readonly since: string;
}

const POLL_MS = 50;
const SQLITE_BUSY = 5;

/**
 * The right to write a log: sqlite's RESERVED lock on a database of its own beside the log. The operating system drops it with
 * the process, however that dies, so no lock is ever stale; readers can still read in it who holds it.
 */
export class WriterLock {
  readonly #db: DatabaseSync;
  readonly #token = randomUUID();

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { timeout: 0 });
  }

  /** Whether the lock is held now. Committing the holder's name drops the lock for a moment, hence the second look. */
  tryTake(): boolean {
    try {
      this.#writeHolder();
      this.#db.exec('BEGIN IMMEDIATE');
      if (this.#token === this.#row()?.token) return true;
      this.#db.exec('ROLLBACK');
      return false;
    } catch (error) {
      if (!isBusy(error)) throw error;
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      return false;
    }
  }

  holder(): Holder | undefined {
    try {
      return this.#row();
    } catch {
      return undefined;
    }
  }

  release(): void {
    this.#db.close();
  }

  #writeHolder(): void {
    this.#db.exec('PRAGMA synchronous = OFF; BEGIN IMMEDIATE');
    this.#db.exec(
      'CREATE TABLE IF NOT EXISTS holder (one INTEGER PRIMARY KEY, token TEXT, pid INTEGER, host TEXT, since TEXT)',
    );
    const write = this.#db.prepare('REPLACE INTO holder (one, token, pid, host, since) VALUES (1, ?, ?, ?, ?)');
    write.run(this.#token, process.pid, hostname(), new Date().toISOString());
    this.#db.exec('COMMIT');
  }

  #row(): (Holder & { readonly token: string }) | undefined {
    const row = this.#db.prepare('SELECT token, pid, host, since FROM holder').get();
    return row as unknown as (Holder & { readonly token: string }) | undefined;
  }
}

const isBusy = (error: unknown): boolean => ((error as { errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;

/** Takes the lock, or throws LOG_UNAVAILABLE naming who holds it. */
export function takeLock(path: string): WriterLock {
  const lock = new WriterLock(path);
  if (attempt(lock, path)) return lock;
  const holder = lock.holder();
  lock.release();
  const who = holder === undefined ? 'another process' : `pid ${holder.pid} on ${holder.host} since ${holder.since}`;
  throw new PoolError(
    'LOG_UNAVAILABLE',
    `${path} is held by ${who}: a log has one writer; stop it, or wait with standby`,
    {
      details: { holder },
    },
  );
}

/** Waits for the lock for as long as another holds it. Throws the signal's reason when that aborts. */
export async function awaitLock(path: string, signal?: AbortSignal): Promise<WriterLock> {
  const lock = new WriterLock(path);
  while (!signal?.aborted) {
    if (attempt(lock, path)) return lock;
    await sleep(POLL_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
  lock.release();
  throw signal.reason;
}

function attempt(lock: WriterLock, path: string): boolean {
  try {
    return lock.tryTake();
  } catch (cause) {
    lock.release();
    const advice = 'it holds no events: if no writer runs, it may be deleted';
    throw new PoolError('LOG_UNAVAILABLE', `${path} cannot be locked: ${(cause as Error).message}; ${advice}`, {
      cause,
    });
  }
}
