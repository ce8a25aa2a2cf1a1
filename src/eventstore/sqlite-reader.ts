import { setTimeout as sleep } from 'node:timers/promises';
import { PoolError } from '../model/errors.ts';
import type {
  AppendResult,
  EventStore,
  ReadOptions,
  SnapshotStore,
  StoreTraits,
  SubscribeOptions,
  SubscriptionItem,
} from '../model/event-store.ts';
import type { RecordedEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { closedError } from './errors.ts';
import { follow } from './follow.ts';
import { markPath, readMark } from './high-water.ts';
import { PAGE_EVENTS, readRange } from './ranges.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import { SqliteFile } from './sqlite-file.ts';
import { sqliteUrl } from './sqlite-url.ts';
import { verifiedAll, verifiedRange, verifyOpened } from './sqlite-verify.ts';
import { lift } from './upcast.ts';

/** How often a follower asks whether the writer, another process, has appended. */
const POLL_MS = 50;

/** The streams of a sqlite file, read beside its writer. Any number of processes may. */
export class SqliteReader implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore;
  readonly #file: SqliteFile;
  #closed = false;

  /** `whole`: reads every page first. Throws DamagedLogError if the log does not hold what was written to it. */
  constructor(path: string, logger: Logger, whole: boolean) {
    this.traits = { durable: true, shared: false, maxAppendEvents: 0, maxAppendBytes: 0, url: sqliteUrl(path) };
    this.snapshots = new SnapshotFiles(`${path}.snapshots`, true, logger);
    const mark = readMark(markPath(path)); // before the log, which is never behind it
    this.#file = new SqliteFile(path, true);
    try {
      verifyOpened(this.#file, path, mark, logger);
      if (whole) this.#file.checkWhole();
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  append(): AppendResult {
    const cause = new PoolError('LOG_UNAVAILABLE', `${this.traits.url} is opened to be read`);
    return { outcome: 'failed', retryable: false, cause };
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    yield* readRange(options, PAGE_EVENTS, this.#last(stream), (from, to) => this.#range(stream, from, to));
  }

  async *readAll(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly RecordedEvent[]> {
    for (const page of verifiedAll(this.#looked())) {
      options.signal?.throwIfAborted();
      yield page.map(lift);
    }
  }

  subscribe(stream: string, options: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    const ended = () => this.#closed || options.signal?.aborted === true;
    const page = (from: number, limit: number) => {
      const last = Math.min(this.#last(stream), from + limit - 1);
      return last < from ? [] : this.#range(stream, from, last);
    };
    const grown = async () => {
      const before = this.#last(stream);
      while (!ended() && this.#last(stream) === before)
        await sleep(POLL_MS, undefined, { signal: options.signal }).catch(() => {});
    };
    return follow({ page, grown, ended, pageEvents: PAGE_EVENTS }, options);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#file.close();
  }

  #open(): SqliteFile {
    if (this.#closed) throw closedError(this.traits.url);
    return this.#file;
  }

  #last(stream: string): number {
    return this.#looked().runs.lastRevision(stream);
  }

  /** The file as far as it has been written by now. */
  #looked(): SqliteFile {
    const file = this.#open();
    file.look();
    return file;
  }

  #range(stream: string, first: number, last: number): RecordedEvent[] {
    return verifiedRange(this.#open(), stream, first, last).map(lift);
  }
}
