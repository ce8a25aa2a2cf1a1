import { isPoolError, PoolError } from '../model/errors.ts';
import type {
  AppendResult,
  EventStore,
  ReadOptions,
  SnapshotStore,
  StoreTraits,
  SubscribeOptions,
  SubscriptionItem,
} from '../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { isIdentical, refuseBatch } from './batch.ts';
import { closedError, DamagedLogError } from './errors.ts';
import { follow, Wakers } from './follow.ts';
import { PAGE_EVENTS, readRange } from './ranges.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import type { WriterLock } from './sqlite-lock.ts';
import { restoredBy, WritableLog } from './sqlite-log.ts';
import { verifiedAll, verifiedPage, verifiedRange } from './sqlite-verify.ts';
import { lift } from './upcast.ts';
import { rewriteWal } from './wal.ts';
import { WalKeeper } from './wal-keeper.ts';

/**
 * Streams in one sqlite file, written by this process alone; `appended` means that the events are on the disk (WAL, synchronous =
 * FULL). Appends answer at once, on this thread. Any error of a write leaves its outcome unknown: the append answers
 * `unknown`, the connection is given up, and the next call opens the file anew and goes by what lies there. So an identical
 * batch tried again is either found applied or written; a failed fsync is never repeated on the same connection.
 */
export class SqliteEventStore implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore;
  readonly #path: string;
  readonly #lock: WriterLock;
  readonly #logger: Logger;
  readonly #wakers = new Wakers();
  readonly #keeper = new WalKeeper((cause) => this.#giveUp(cause));
  #open: WritableLog | undefined;
  #closed = false;

  /** Takes over `lock`. Throws DamagedLogError or what sqlite says if the log cannot be served. */
  constructor(path: string, lock: WriterLock, logger: Logger) {
    this.#path = path;
    this.#lock = lock;
    this.#logger = logger;
    this.traits = {
      durable: true,
      shared: false,
      maxAppendEvents: 4_096,
      maxAppendBytes: 2 ** 31,
      url: `sqlite:${path}`,
    };
    this.snapshots = new SnapshotFiles(`${path}.snapshots`, false, logger);
    this.#open = openFirst(path, logger);
    this.traits = { ...this.traits, ...restoredBy(this.#open) };
  }

  append(stream: string, events: readonly NewEvent[], expectedRevision: number): AppendResult {
    if (this.#closed) return { outcome: 'failed', retryable: false, cause: closedError(this.traits.url) };
    const refusal = refuseBatch(stream, events, expectedRevision, this.traits);
    if (refusal !== undefined) return refusal;
    try {
      const log = this.#log();
      return this.#orGiveUp(() => this.#write(log, stream, events, expectedRevision));
    } catch (cause) {
      return { outcome: 'unknown', cause };
    }
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const last = this.#log().lastRevision(stream);
    yield* readRange(options, PAGE_EVENTS, last, (from, to) => this.#page(stream, from, to));
  }

  async *readAll(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly RecordedEvent[]> {
    for (const page of verifiedAll(this.#log().rows)) {
      options.signal?.throwIfAborted();
      yield page.map(lift);
    }
  }

  async *subscribe(stream: string, options: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    this.#log();
    const page = (from: number, limit: number) => {
      const last = Math.min(this.#log().lastRevision(stream), from + limit - 1);
      return last < from ? [] : this.#page(stream, from, last);
    };
    const grown = () => this.#wakers.wait(stream, options.signal);
    const ended = () => this.#closed || options.signal?.aborted === true;
    yield* follow({ page, grown, ended, pageEvents: PAGE_EVENTS }, options);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#keeper.stop();
    this.#wakers.wakeAll();
    try {
      this.#open?.tidy();
      this.#open?.close();
    } finally {
      this.#open = undefined;
      this.#lock.release();
    }
  }

  #write(log: WritableLog, stream: string, events: readonly NewEvent[], expected: number): AppendResult {
    const revision = log.lastRevision(stream);
    if (expected !== revision) {
      const end = expected + events.length;
      const there = end <= revision ? verifiedRange(log.rows, stream, expected + 1, end) : [];
      if (!isIdentical(events, there)) return { outcome: 'conflict', revision };
      this.#wakers.wake(stream); // the try that wrote it told nobody
      return { outcome: 'appended', revision: end };
    }
    const last = log.write(stream, events);
    this.#keeper.appended(log.file);
    if (this.#wakers.any) this.#wakers.wake(stream);
    return { outcome: 'appended', revision: last };
  }

  #page(stream: string, first: number, last: number): RecordedEvent[] {
    return verifiedPage(this.#log().rows, stream, first, last).map(lift);
  }

  /** The open log; opened anew from the disk if the last one was given up. */
  #log(): WritableLog {
    if (this.#closed) throw closedError(this.traits.url);
    this.#open ??= this.#reopen();
    return this.#open;
  }

  /**
   * After a failed write what lies in the WAL may be in the kernel's cache alone, marked clean by a failed fsync. So it is written
   * once more, and nothing is answered before it lies in the file itself, and that has been synced.
   */
  #reopen(): WritableLog {
    try {
      rewriteWal(this.#path);
      const log = new WritableLog(this.#path, this.#logger);
      if (isSettled(log)) return log;
      log.close();
      throw new Error('a reader keeps the log from being made safe after a failed write');
    } catch (cause) {
      if (cause instanceof DamagedLogError) throw cause;
      const message = `${this.traits.url} cannot be used since a write failed: ${(cause as Error).message}`;
      throw new PoolError('LOG_UNAVAILABLE', message, { cause });
    }
  }

  /** What has failed is not done again on the same connection. */
  #orGiveUp<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#giveUp(error);
      throw error;
    }
  }

  #giveUp(cause: unknown): void {
    this.#logger.error(
      { err: cause, path: this.#path },
      'a write to the log failed; its outcome is unknown until the file is opened anew',
    );
    const log = this.#open;
    this.#open = undefined;
    this.#keeper.stop();
    try {
      log?.close();
    } catch (error) {
      this.#logger.warn({ err: error, path: this.#path }, 'the given-up log did not close cleanly');
    }
  }
}

function openFirst(path: string, logger: Logger): WritableLog {
  try {
    return new WritableLog(path, logger);
  } catch (cause) {
    if (isPoolError(cause) || cause instanceof DamagedLogError) throw cause;
    throw new PoolError('LOG_UNAVAILABLE', `store: ${path} cannot be opened: ${(cause as Error).message}`, { cause });
  }
}

/** Whether the WAL has been moved into the file. If that throws, the log is closed again. */
function isSettled(log: WritableLog): boolean {
  try {
    return log.settle();
  } catch (error) {
    log.close();
    throw error;
  }
}
