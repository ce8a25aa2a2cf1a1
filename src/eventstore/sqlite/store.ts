import { setTimeout as sleep } from 'node:timers/promises';
import { isPoolError, PoolError } from '../../model/errors.ts';
import type {
  AppendResult,
  EventStore,
  ReadOptions,
  SnapshotStore,
  StoreCondition,
  StoreTraits,
  SubscribeOptions,
  SubscriptionItem,
} from '../../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../../model/events.ts';
import type { Logger } from '../../model/interfaces.ts';
import { isIdentical, refuseBatch } from '../batch.ts';
import { closedError, DamagedLogError, HeldLogError } from '../errors.ts';
import { follow, Wakers } from '../follow.ts';
import { PAGE_EVENTS, readRange } from '../ranges.ts';
import { lift } from '../upcast.ts';
import { isFull } from './codes.ts';
import type { WriterLock } from './lock.ts';
import { restoredBy, WritableLog } from './log.ts';
import { LogFiles } from './log-files.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import { sqliteUrl } from './url.ts';
import { verifiedAll, verifiedPage, verifiedRange } from './verify.ts';
import { WalKeeper } from './wal/wal-keeper.ts';

/** How often the files are looked at, ms. */
const LOOK_MS = 1_000;
/** How long an append waits for a lock that another program has, ms: half a second in all. */
const WAITS_MS = [1, 2, 4, 8, 16, 32, ...Array<number>(9).fill(50)];

const NO_ROOM = 'the disk has no room for the log';

/**
 * Streams in one sqlite file, written by this process alone; `appended` means that the events are on the disk (WAL, synchronous =
 * FULL), and that the file and its lock still had their names then. Appends answer at once, on this thread, unless another program has
 * sqlite's lock: that is waited for, and then is a definite no. No room on the disk leaves the outcome unknown, and the connection as
 * it is. Any other error of a write leaves it unknown too, the connection is given up, and the next call opens the file anew and goes by
 * what lies there. So an identical batch tried again is either found applied or written; a failed fsync is never repeated on the same
 * connection. Files that were unlinked, replaced or cut poison the store: see `condition`.
 */
export class SqliteEventStore implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore;
  readonly condition: { -readonly [K in keyof StoreCondition]: StoreCondition[K] };
  readonly #path: string;
  readonly #lock: WriterLock;
  readonly #logger: Logger;
  readonly #wakers = new Wakers();
  readonly #keeper: WalKeeper;
  readonly #files: LogFiles;
  readonly #timer: NodeJS.Timeout;
  #open: WritableLog | undefined;
  #names = 1;
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
      url: sqliteUrl(path),
    };
    this.condition = { poison: undefined, trouble: undefined, walBytes: 0, walGrown: false };
    this.snapshots = new SnapshotFiles(`${path}.snapshots`, false, logger);
    this.#keeper = this.#walKeeper();
    this.#open = openFirst(path, logger);
    this.traits = { ...this.traits, ...restoredBy(this.#open) };
    this.#files = watched(path, this.#open);
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  append(stream: string, events: readonly NewEvent[], expectedRevision: number): AppendResult | Promise<AppendResult> {
    const attempt = () => this.#append(stream, events, expectedRevision);
    const result = attempt();
    return isLockedOut(result) ? this.#whenFree(result, attempt) : result;
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
    clearInterval(this.#timer);
    this.#keeper.stop();
    this.#wakers.wakeAll();
    await this.#keeper.settled();
    const log = this.#open;
    this.#open = undefined;
    try {
      if (log !== undefined) this.#closeLog(log);
    } finally {
      this.#lock.release();
    }
  }

  #closeLog(log: WritableLog): void {
    const lost = this.condition.poison === undefined ? this.#files.look() : undefined;
    if (lost !== undefined) this.#poison(lost);
    if (this.condition.poison === undefined) log.finish();
    else if (this.#files.lookAtLasting() === undefined) log.abandon();
    else log.close(); // of files that are not ours any more nothing is written; sqlite itself leaves one that was moved as it is
  }

  #append(stream: string, events: readonly NewEvent[], expectedRevision: number): AppendResult {
    if (this.#closed) return { outcome: 'failed', retryable: false, cause: closedError(this.traits.url) };
    const { poison } = this.condition;
    if (poison !== undefined) return { outcome: 'failed', retryable: false, cause: poison };
    const refusal = refuseBatch(stream, events, expectedRevision, this.traits);
    if (refusal !== undefined) return refusal;
    try {
      const log = this.#log();
      const result = this.#orGiveUp(log, () => this.#write(log, stream, events, expectedRevision));
      this.condition.trouble = undefined;
      return result;
    } catch (cause) {
      return cause instanceof HeldLogError
        ? { outcome: 'failed', retryable: true, cause }
        : { outcome: 'unknown', cause };
    }
  }

  /** Milliseconds of a lock are nobody's business; of more the caller is told. */
  async #whenFree(first: LockedOut, attempt: () => AppendResult): Promise<AppendResult> {
    let lockedOut = first;
    await this.#keeper.settled(); // it may be the store's own
    for (const waitMs of WAITS_MS) {
      await sleep(waitMs);
      const result = attempt();
      if (!isLockedOut(result)) return result;
      lockedOut = result;
    }
    this.condition.trouble = lockedOut.cause;
    return lockedOut;
  }

  #write(log: WritableLog, stream: string, events: readonly NewEvent[], expected: number): AppendResult {
    const revision = log.lastRevision(stream);
    const end = expected + events.length;
    if (expected !== revision) {
      const there = end <= revision ? verifiedRange(log.rows, stream, expected + 1, end) : [];
      if (!isIdentical(events, there)) return { outcome: 'conflict', revision };
      log.found(events);
    } else log.write(stream, events);
    if (log.opened !== undefined) this.#files.written();
    const lost = this.#files.glance();
    if (lost !== undefined) return { outcome: 'unknown', cause: this.#poison(lost) };
    if (expected === revision) this.#keeper.appended(log.file);
    if (this.#wakers.any) this.#wakers.wake(stream); // of a batch that is found, too: the try that wrote it told nobody
    return { outcome: 'appended', revision: end };
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
   * once more and synced before anything is answered. That is enough: what was moved into the file and could not be synced there is in
   * the WAL still, and is moved again. So neither a reader nor room for all of it in the file is needed to go on.
   */
  #reopen(): WritableLog {
    const lost = this.condition.poison ?? this.#files.lookAtLasting();
    if (lost !== undefined) throw typeof lost === 'string' ? this.#poison(lost) : lost;
    try {
      const log = new WritableLog(this.#path, this.#logger);
      if (log.opened !== undefined) this.#files.opened();
      return log;
    } catch (cause) {
      if (cause instanceof DamagedLogError || cause instanceof HeldLogError) throw cause;
      const message = `${this.traits.url} cannot be used since a write failed: ${(cause as Error).message}`;
      throw new PoolError('LOG_UNAVAILABLE', message, { cause });
    }
  }

  /** What has failed is not done again on the same connection; but for want of room, or of a lock, nothing has failed that cannot be. */
  #orGiveUp<T>(log: WritableLog, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isFull(error)) this.#noRoom(log, error);
      else if (!(error instanceof HeldLogError)) this.#giveUp(error);
      throw error;
    }
  }

  #noRoom(log: WritableLog, cause: unknown): void {
    if (this.condition.trouble === undefined) this.#logger.error({ err: cause, path: this.#path }, NO_ROOM);
    this.condition.trouble = new PoolError('LOG_UNAVAILABLE', `${NO_ROOM} ${this.traits.url}`, { cause });
    try {
      log.opened?.rollBack();
    } catch (error) {
      this.#giveUp(error);
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
    this.#files.givenUp();
    try {
      log?.abandon();
    } catch (error) {
      this.#logger.warn({ err: error, path: this.#path }, 'the given-up log did not close cleanly');
    }
  }

  #look(): void {
    try {
      const log = this.#open;
      const wrong = this.#files.look(() => log?.opened?.walEnd ?? 0);
      this.#tellOfNames();
      if (wrong !== undefined) this.#poison(wrong);
      else if (log?.opened !== undefined) this.#tend(log.opened);
    } catch (cause) {
      this.#giveUp(cause);
    }
  }

  /** A second name does no harm while this process runs, but the next start would be refused. */
  #tellOfNames(): void {
    const names = this.#files.names ?? this.#names;
    if (names > 1 && names !== this.#names)
      this.#logger.warn(
        { path: this.#path, names },
        'the log has other names (hard links): no start is possible before they are removed',
      );
    this.#names = names;
  }

  #tend(file: WritableLog['file']): void {
    const { condition } = this;
    condition.walBytes = this.#files.walBytes;
    if (condition.trouble instanceof HeldLogError && file.canBegin()) condition.trouble = undefined;
    this.#keeper.look(file, condition.walBytes);
  }

  /** Nothing is acknowledged from here on. What is open stays open: what was acknowledged can be read in it, and nowhere else perhaps. */
  #poison(why: string): PoolError {
    const message = `${this.traits.url} is not what this process has open: ${why}; nothing is recorded until it is opened anew`;
    const poison = new PoolError('LOG_UNAVAILABLE', message, { details: { path: this.#path } });
    this.condition.poison = poison;
    this.#logger.error({ err: poison, path: this.#path }, 'the files of the log are not its own any more');
    clearInterval(this.#timer);
    this.#keeper.stop();
    if (this.#files.onlyWalIsGone) this.#salvage();
    return poison;
  }

  /** What is in a write-ahead log without a name would be gone with this process. */
  #salvage(): void {
    try {
      const ended = this.#open?.opened?.checkpoint('PASSIVE');
      const became = ended === 'done' ? 'has been moved into the file' : 'could not be moved into the file whole';
      this.#logger.warn({ path: this.#path, ended }, `the write-ahead log lost its name, and ${became}`);
    } catch (error) {
      this.#logger.error({ err: error, path: this.#path }, 'the write-ahead log could not be moved into the file');
    }
  }

  #walKeeper(): WalKeeper {
    const why = { held: 'a reader keeps it', noRoom: 'the disk has no room' };
    return new WalKeeper({
      failed: (cause) => this.#giveUp(cause),
      grown: (walBytes, kept) => {
        this.condition.walGrown = true;
        const message = `the write-ahead log cannot be moved into the file, ${why[kept]}: it grows`;
        this.#logger.warn({ path: this.#path, walBytes }, message);
      },
      shrunk: (walBytes) => {
        this.condition.walGrown = false;
        this.#logger.info({ path: this.#path, walBytes }, 'the write-ahead log has its size again');
      },
    });
  }
}

type LockedOut = AppendResult & { readonly outcome: 'failed'; readonly cause: HeldLogError };

const isLockedOut = (result: AppendResult): result is LockedOut =>
  result.outcome === 'failed' && result.cause instanceof HeldLogError;

function watched(path: string, log: WritableLog): LogFiles {
  try {
    const files = new LogFiles(path);
    if (log.opened !== undefined) files.opened();
    return files;
  } catch (error) {
    log.close();
    throw error;
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
