import { existsSync } from 'node:fs';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import { SILENT } from '../model/interfaces.ts';
import { MemoryEventStore } from './memory.ts';
import { parseMemoryUrl } from './memory-url.ts';
import type { OpenStoreOptions } from './options.ts';

const ESDB = /^esdb(\+discover)?:\/\//;
const MEMORY = /^memory:(\?|$)/;
const ALLOWED = 'memory:, memory:?events=<N>, sqlite:<file>, esdb://<host:port> or esdb+discover://<host:port>';

/** The file of an embedded store; undefined for any other URL. */
export const sqlitePath = (url: string): string | undefined =>
  url.startsWith('sqlite:') && url.length > 'sqlite:'.length ? url.slice('sqlite:'.length) : undefined;

/** The store that a URL names. Throws INVALID_CONFIG naming the value and what is allowed; a driver is loaded only if named. */
export async function openEventStore(url: string, options: OpenStoreOptions = {}): Promise<EventStore> {
  options.signal?.throwIfAborted();
  if (MEMORY.test(url)) return new MemoryEventStore(parseMemoryUrl(url), url);
  if (ESDB.test(url)) {
    const { EventStoreDbStore } = await import('./eventstoredb/store.ts');
    return new EventStoreDbStore(url, options);
  }
  const path = sqlitePath(url);
  if (path !== undefined) return openSqlite(path, options);
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
    const { SqliteReader } = await import('./sqlite-reader.ts');
    return new SqliteReader(path, logger, options.whole ?? false);
  }
  const [{ awaitLock, takeLock }, { SqliteEventStore }] = await Promise.all([
    import('./sqlite-lock.ts'),
    import('./sqlite.ts'),
  ]);
  const lock = options.standby ? await awaitLock(`${path}.lock`, options.signal) : takeLock(`${path}.lock`);
  try {
    return new SqliteEventStore(path, lock, logger);
  } catch (error) {
    lock.release();
    throw error;
  }
}
