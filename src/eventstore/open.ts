import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import { SILENT } from '../model/interfaces.ts';
import { HeldLogError } from './errors.ts';
import { MemoryEventStore } from './memory/store.ts';
import { parseMemoryUrl } from './memory/url.ts';
import type { OpenStoreOptions } from './options.ts';
import type { WriterLock } from './sqlite/lock.ts';
import { refuseSeveralNames, sqlitePath } from './sqlite/url.ts';

const ESDB = /^esdb(\+discover)?:\/\//;
const MEMORY = /^memory:(\?|$)/;
const ALLOWED = 'memory:, memory:?events=<N>, sqlite:<file>, esdb://<host:port> or esdb+discover://<host:port>';

/** The store that a URL names. Throws INVALID_CONFIG naming the value and what is allowed; a driver is loaded only if named. */
export async function openEventStore(url: string, options: OpenStoreOptions = {}): Promise<EventStore> {
  options.signal?.throwIfAborted();
  if (MEMORY.test(url)) return new MemoryEventStore(parseMemoryUrl(url), url);
  if (ESDB.test(url)) {
    const { EventStoreDbStore } = await import('./eventstoredb/store.ts');
    return new EventStoreDbStore(url, options);
  }
  if (url.startsWith('sqlite:')) return openSqlite(sqlitePath(url), options);
  const shown = url.replace(/\/\/[^@/]*@/, '//***@');
  throw new PoolError('INVALID_CONFIG', `store: ${JSON.stringify(shown)} is not allowed; allowed: ${ALLOWED}`, {
    details: { errors: [{ path: 'store', value: shown, allowed: ALLOWED }] },
  });
}

/** node:sqlite is loaded only here. A writer takes the lock first, or waits for it with `standby`. */
async function openSqlite(path: string, options: OpenStoreOptions): Promise<EventStore> {
  const logger = options.logger ?? SILENT;
  if (options.readOnly) {
    if (!existsSync(path)) throw new PoolError('NOT_FOUND', `store: there is no file ${path}`, { details: { path } });
    const { SqliteReader } = await import('./sqlite/reader.ts');
    return new SqliteReader(path, logger, options.whole ?? false);
  }
  const [{ awaitLock, takeLock }, { SqliteEventStore }] = await Promise.all([
    import('./sqlite/lock.ts'),
    import('./sqlite/store.ts'),
  ]);
  refuseSeveralNames(path);
  while (true) {
    const lock = options.standby ? await awaitLock(path, options.signal) : await takeLock(path);
    const store = await openLocked(() => new SqliteEventStore(path, lock, logger), path, lock);
    if (await signed(lock, store)) return store;
  }
}

/** What is refused here has changed no byte: the lock's holder is written after the verdict. */
async function openLocked<T>(open: () => T, path: string, lock: WriterLock): Promise<T> {
  try {
    refuseSeveralNames(path);
    return await unlessHeld(open);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** If not, the store is closed: another has the lock by now, and may have gone on from there. */
async function signed(lock: WriterLock, store: EventStore): Promise<boolean> {
  let isSigned = false;
  try {
    isSigned = lock.sign();
  } finally {
    if (!isSigned) await store.close();
  }
  return isSigned;
}

/** How long another program's lock is waited for when a log is opened: so often, so many ms. */
const HELD_TRIES = 40;
const HELD_MS = 50;

async function unlessHeld<T>(open: () => T): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return open();
    } catch (error) {
      if (!(error instanceof HeldLogError) || attempt === HELD_TRIES) throw error;
      await sleep(HELD_MS);
    }
  }
}
