import type { Clock } from '../model/clock.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { Logger } from '../model/interfaces.ts';
import { MemoryEventStore } from './memory.ts';

export interface OpenStoreOptions {
  /** Never appends; opens beside a running writer. */
  readonly readOnly?: boolean;
  /** Waits until the writer that holds the file is gone, and takes over. Without it a second writer is an error. */
  readonly standby?: boolean;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
  readonly logger?: Logger;
  readonly clock?: Clock;
}

const ESDB = /^esdb(\+discover)?:\/\//;
const ALLOWED = 'memory:, sqlite:<file>, esdb://<host:port> or esdb+discover://<host:port>';

/** The store that a URL names. Throws INVALID_CONFIG naming the value and what is allowed; a driver is loaded only if named. */
export async function openEventStore(url: string, options: OpenStoreOptions = {}): Promise<EventStore> {
  options.signal?.throwIfAborted();
  if (url === 'memory:') return new MemoryEventStore();
  if (ESDB.test(url))
    throw new PoolError('INVALID_CONFIG', `store: the adapter for ${url.split(':', 1)[0]}:// is not there yet`);
  const shown = url.replace(/\/\/[^@/]*@/, '//***@');
  throw new PoolError('INVALID_CONFIG', `store: ${JSON.stringify(shown)} is not allowed; allowed: ${ALLOWED}`, {
    details: { errors: [{ path: 'store', value: shown, allowed: ALLOWED }] },
  });
}
