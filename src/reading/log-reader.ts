import { checkStore } from '../eventstore/check.ts';
import { openEventStore } from '../eventstore/open.ts';
import { lastRevision, readRange } from '../eventstore/read-range.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { auditStream, isAuditStream, poolStream } from '../model/ids.ts';
import { type Logger, SILENT } from '../model/interfaces.ts';
import { StoredPoolReader, type StoredPoolReaderOptions } from './pool-reader.ts';
import { ReadModel, readUp, restoreSnapshot } from './read-model.ts';
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
  replay(options?: ReplayRange): Promise<Replayed> {
    return this.#replay(poolStream(this.#poolId), options);
  }

  async #replay(stream: string, options?: ReplayRange): Promise<Replayed> {
    const source = (from: number, to: number) => readRange<RecordedPoolEvent>(this.#store, stream, from, to);
    return replayLog(source, await lastRevision(this.#store, stream), options);
  }

  /**
   * Reads every event with the store's own checks, and folds the pool's. Throws with the place of the damage. On a server only the
   * streams of the pool are read, unless `all`; a file is checked whole in any case. With `all` every pool that is there is folded.
   */
  async check(onProgress: (progress: ReplayProgress) => void = () => {}, all = false): Promise<Checked> {
    const stream = poolStream(this.#poolId);
    const streams = [stream, auditOf(stream)];
    const found = await checkStore(this.#store, all || !this.#store.traits.shared ? {} : { streams });
    const pools = all ? [...found.streams.keys()].filter((each) => !isAuditStream(each)) : [stream];
    if (pools.length === 0) throw new PoolError('NOT_FOUND', `there is no pool in ${this.#store.traits.url}`);
    const checked = { events: 0, refusals: 0 };
    for (const pool of pools) {
      const { events } = await this.#replay(pool, { to: await lastRevision(this.#store, pool), onProgress });
      checked.events += events;
      checked.refusals += (await lastRevision(this.#store, auditOf(pool))) + 1;
    }
    return checked;
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

export interface OpenLogOptions {
  /** Every page of a file is checked first. */
  readonly whole?: boolean;
  readonly logger?: Logger;
  /** The pool need not be there: others are asked for, too. */
  readonly anyPool?: boolean;
}

/** Opens a log read-only. Throws NOT_FOUND if the store or the pool in it is not there. */
export async function openLogReader(
  url: string,
  poolId: string,
  { whole = false, logger = SILENT, anyPool = false }: OpenLogOptions = {},
): Promise<LogReader> {
  const store = await openEventStore(url, { readOnly: true, whole, logger });
  if (anyPool || (await lastRevision(store, poolStream(poolId))) >= 0) return new LogReader(store, poolId);
  await store.close();
  throw new PoolError('NOT_FOUND', `there is no pool ${poolId} in ${store.traits.url}`, { details: { poolId } });
}

const auditOf = (stream: string): string => auditStream(stream.slice('pool-'.length));

/** ReadModel that are brought up to the end of the log each time they are asked for. */
function upToDate(store: EventStore, stream: string): Pick<StoredPoolReaderOptions, 'readings' | 'learn'> {
  const readings = new ReadModel();
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
