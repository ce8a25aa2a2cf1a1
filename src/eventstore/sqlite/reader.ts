import { setTimeout as sleep } from 'node:timers/promises';
import { PoolError } from '../../model/errors.ts';
import type {
  AppendResult,
  EventStore,
  ReadOptions,
  SnapshotStore,
  StoreTraits,
  SubscribeOptions,
  SubscriptionItem,
} from '../../model/event-store.ts';
import type { RecordedEvent } from '../../model/events.ts';
import type { Logger } from '../../model/interfaces.ts';
import { closedError, DamagedLogError } from '../errors.ts';
import { follow } from '../follow.ts';
import { PAGE_EVENTS, readRange } from '../ranges.ts';
import { lift } from '../upcast.ts';
import { DiskLog } from './disk/disk-log.ts';
import { look } from './disk/look.ts';
import { stampOf } from './disk/pages.ts';
import { SqliteFile } from './file.ts';
import { markPath, readMark } from './high-water.ts';
import { restoredBy } from './log.ts';
import type { LogRows } from './log-rows.ts';
import { SnapshotFiles } from './snapshot-files.ts';
import { sqliteUrl } from './url.ts';
import { verifiedPage, verifiedSpanWithin, verifyEnds } from './verify.ts';

/** How often a follower asks whether the writer, another process, has appended. */
const POLL_MS = 50;

/**
 * The streams of a sqlite file, read beside its writer. Any number of processes may. While nobody writes, the pages themselves are
 * read, which leaves no trace and needs no right to write; as soon as the files have moved, sqlite reads, which keeps to one moment.
 */
export class SqliteReader implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore;
  readonly #path: string;
  #rows: LogRows;
  #closed = false;

  /** `whole`: reads every page first. Throws DamagedLogError if the log does not hold what was written to it. */
  constructor(path: string, logger: Logger, whole: boolean) {
    this.snapshots = new SnapshotFiles(`${path}.snapshots`, true, logger);
    this.#path = path;
    const mark = readMark(markPath(path));
    this.#rows = openToRead(path, logger);
    this.traits = {
      durable: true,
      shared: false,
      maxAppendEvents: 0,
      maxAppendBytes: 0,
      url: sqliteUrl(path),
      ...restoredBy({ rows: this.#rows, markedToken: typeof mark === 'string' ? 0 : mark.token }),
    };
    try {
      if (whole) this.#sound((rows) => rows.checkWhole());
    } catch (error) {
      this.#rows.close();
      throw error;
    }
  }

  append(): AppendResult {
    const cause = new PoolError('LOG_UNAVAILABLE', `${this.traits.url} is opened to be read`);
    return { outcome: 'failed', retryable: false, cause };
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    yield* readRange(options, PAGE_EVENTS, this.#last(stream), (from, to) => this.#page(stream, from, to));
  }

  async *readAll(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly RecordedEvent[]> {
    this.#look();
    const { end } = this.#rows.runs;
    for (let first = 1; first <= end; ) {
      options.signal?.throwIfAborted();
      const page = this.#sound((rows) => verifiedSpanWithin(rows, first, end));
      first += page.length;
      yield page.map(lift);
    }
  }

  subscribe(stream: string, options: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    const ended = () => this.#closed || options.signal?.aborted === true;
    const page = (from: number, limit: number) => {
      const last = Math.min(this.#last(stream), from + limit - 1);
      return last < from ? [] : this.#page(stream, from, last);
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
    this.#rows.close();
  }

  #last(stream: string): number {
    this.#look();
    return this.#rows.runs.lastRevision(stream);
  }

  /** Takes in what has been written by now. */
  #look(): void {
    if (this.#closed) throw closedError(this.traits.url);
    if (hasMoved(this.#rows)) this.#goLive();
    this.#rows.look();
  }

  #page(stream: string, first: number, last: number): RecordedEvent[] {
    return this.#sound((rows) => verifiedPage(rows, stream, first, last)).map(lift);
  }

  /** What looks like damage may be a writer who has begun meanwhile. */
  #sound<T>(read: (rows: LogRows) => T): T {
    if (this.#closed) throw closedError(this.traits.url);
    try {
      return read(this.#rows);
    } catch (error) {
      if (!(error instanceof DamagedLogError) || !hasMoved(this.#rows)) throw error;
      this.#goLive();
      return read(this.#rows);
    }
  }

  #goLive(): void {
    const still = this.#rows;
    this.#rows = openLive(this.#path);
    still.close();
  }
}

const hasMoved = (rows: LogRows): boolean => rows instanceof DiskLog && rows.pages.haveMoved;

/** The log as it lies there; if that cannot be because somebody writes it, as sqlite reads it. */
function openToRead(path: string, logger: Logger): LogRows {
  const before = stampOf(path);
  const told: (() => void)[] = [];
  const later: Logger = { ...logger, warn: (fields, message) => void told.push(() => logger.warn(fields, message)) };
  try {
    const looked = look(path, later);
    if (stampOf(path) === before) for (const tell of told) tell();
    if (looked !== undefined) return looked.log;
  } catch (error) {
    if (!(error instanceof DamagedLogError) || stampOf(path) === before) throw error;
  }
  return openLive(path);
}

/** Beside its writer, whose mark is never ahead of what sqlite reads afterwards. */
function openLive(path: string): LogRows {
  const mark = readMark(markPath(path));
  const file = new SqliteFile(path, true);
  try {
    verifyEnds(file);
    const { end } = file.runs;
    if (typeof mark !== 'string' && mark.id === file.identity.id && mark.last > end)
      throw new DamagedLogError(`${path}, position ${end + 1}`, `it ends there, but had come to ${mark.last}`);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
