import { checkStore } from '../eventstore/check.ts';
import { openEventStore } from '../eventstore/open.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { auditStream, poolStream } from '../model/ids.ts';
import { type Logger, SILENT } from '../model/interfaces.ts';
import { lastRevision, readRange } from './log-streams.ts';
import { StoredPoolReader, type StoredPoolReaderOptions } from './pool-reader.ts';
import { Readings, readUp, restoreSnapshot } from './readings.ts';
import { type Replayed, type ReplayProgress, type ReplayRange, replayLog } from './replay-log.ts';

export interface Checked {
  readonly events: number;
  readonly refusals: number;
}

/** A pool's log, opened read-only and beside a running writer too: what can be read of the pool, and what only a whole log allows. */
export class LogReader extends StoredPoolReader {
  readonly #store: EventStore;
  readonly #poolId: string;

  constructor(store: EventStore, poolId: string) {
    super({ store, poolId, ...upToDate(store, poolStream(poolId)) });
    this.#store = store;
    this.#poolId = poolId;
  }

  /** See `replayLog`. */
  async replay(options?: ReplayRange): Promise<Replayed> {
    const stream = poolStream(this.#poolId);
    const source = (from: number, to: number) => readRange<RecordedPoolEvent>(this.#store, stream, from, to);
    return replayLog(source, await lastRevision(this.#store, stream), options);
  }

  /**
   * Reads every event with the store's own checks, and folds the pool's. Throws with the place of the damage. On a server only the
   * streams of the pool are read, unless `all`; a file is checked whole in any case.
   */
  async check(onProgress: (progress: ReplayProgress) => void = () => {}, all = false): Promise<Checked> {
    const stream = poolStream(this.#poolId);
    const streams = [stream, auditStream(this.#poolId)];
    await checkStore(this.#store, all || !this.#store.traits.shared ? {} : { streams });
    const { events } = await this.replay({ to: await lastRevision(this.#store, stream), onProgress });
    return { events, refusals: (await lastRevision(this.#store, auditStream(this.#poolId))) + 1 };
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/** Opens a log read-only. `whole`: every page of a file is checked first. Throws NOT_FOUND if the store or the pool in it is not there. */
export async function openLogReader(
  url: string,
  poolId: string,
  whole = false,
  logger: Logger = SILENT,
): Promise<LogReader> {
  const store = await openEventStore(url, { readOnly: true, whole, logger });
  if ((await lastRevision(store, poolStream(poolId))) >= 0) return new LogReader(store, poolId);
  await store.close();
  throw new PoolError('NOT_FOUND', `there is no pool ${poolId} in ${store.traits.url}`, { details: { poolId } });
}

/** Readings that are brought up to the end of the log each time they are asked for. */
function upToDate(store: EventStore, stream: string): Pick<StoredPoolReaderOptions, 'readings' | 'learn'> {
  const readings = new Readings();
  let last: Promise<void> = Promise.resolve();
  let restored = false;
  const read = async (): Promise<void> => {
    if (!restored) await restoreSnapshot(readings, store, stream, SILENT);
    restored = true;
    await readUp(readings, store, stream);
  };
  return {
    readings: async () => {
      last = last.then(read, read);
      await last;
      return readings;
    },
    learn: (events) => {
      const { revision } = readings.state;
      readings.fold(events.filter((event) => event.revision > revision));
    },
  };
}
