import {
  type AppendResult,
  areFolded,
  type BoundedHistory,
  type EventStore,
  type ReadOptions,
  type Remains,
  type Snapshot,
  type SnapshotStore,
  type StoreTraits,
  type SubscribeOptions,
  type SubscriptionItem,
} from '../../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../../model/events.ts';
import { isIdentical, refuseBatch } from '../batch.ts';
import { closedError } from '../errors.ts';
import { follow, Wakers } from '../follow.ts';
import { PAGE_EVENTS, readRange } from '../ranges.ts';
import { jsonLines, parseLines } from '../snapshot-text.ts';
import { lift } from '../upcast.ts';
import { PackedLog } from './packed-log.ts';

const TRAITS: StoreTraits = {
  durable: false,
  shared: false,
  maxAppendEvents: 65_536,
  maxAppendBytes: Number.POSITIVE_INFINITY,
  url: 'memory:',
};

const NOTHING = new PackedLog('');

/** Events of one stream that follow each other among all. */
interface Run {
  readonly log: PackedLog;
  readonly first: number;
  /** The revision after its last. */
  end: number;
}

export interface MemoryBounds {
  /** How many events of each stream are kept, the last ones; default 100 000. Infinity = all. */
  readonly events?: number;
  /** About how much memory they may take, a stream, in bytes; default 64 MiB. Infinity = any. */
  readonly bytes?: number;
}

export const DEFAULT_BOUNDS: Required<MemoryBounds> = { events: 100_000, bytes: 64 * 2 ** 20 };
/** Events let go of in one append, if it brings fewer: to fold them takes a few ms. */
const MAX_GOING = 8_192;
/** Runs are looked through for such as are gone once they have doubled, and are at least so many. */
const MIN_RUNS = 64;

/**
 * Streams held in this process and gone with it. Answers every append at once. Events that the engine has folded are kept unchecked and
 * not copied, if they bear the place that they get; any other is copied, and checked before.
 *
 * Of each stream the last events are kept, within two bounds, but never less than the last append; each that goes is told to the
 * stream's remains first. So memory is bounded, however long the process lives (ADR 17).
 */
export class MemoryEventStore implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore = new MemorySnapshots();
  readonly history: BoundedHistory;
  readonly #bounds: Required<MemoryBounds>;
  readonly #streams = new Map<string, PackedLog>();
  readonly #remains = new Map<string, Remains>();
  #runs: Run[] = [];
  #runsKept = 0;
  readonly #wakers = new Wakers();
  #closed = false;

  constructor(bounds: MemoryBounds = {}, url = TRAITS.url) {
    this.#bounds = { ...DEFAULT_BOUNDS, ...bounds };
    this.traits = { ...TRAITS, url };
    this.history = {
      first: (stream) => this.#streams.get(stream)?.first ?? 0,
      remains: <R extends Remains>(stream: string, make: () => R) => this.#remainsOf(stream, make),
    };
  }

  append(stream: string, events: readonly NewEvent[], expectedRevision: number): AppendResult {
    if (this.#closed) return closed();
    const there = this.#streams.get(stream);
    const last = (there?.length ?? 0) - 1;
    const follows = there !== undefined && expectedRevision === last; // so both have been looked at before
    const fits = events.length > 0 && events.length <= TRAITS.maxAppendEvents;
    const folded = areFolded(events);
    if (!(folded && follows && fits)) {
      const refusal = refuseBatch(stream, events, expectedRevision, this.traits);
      if (refusal !== undefined) return refusal;
    }
    if (expectedRevision !== last) return atAnotherRevision(there ?? NOTHING, events, expectedRevision);
    const log = there ?? this.#create(stream);
    this.#push(stream, log, events, folded);
    this.#trim(log, events.length);
    if (this.#wakers.any) this.#wakers.wake(stream);
    return { outcome: 'appended', revision: last + events.length };
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const log = this.#log(stream);
    const { direction = 'forward' } = options;
    const range = direction === 'forward' ? { ...options, from: options.from ?? log.first } : options;
    const lowest = direction === 'forward' ? 0 : log.first;
    yield* readRange(range, PAGE_EVENTS, log.length - 1, (first, last) => log.slice(first, last + 1).map(lift), lowest);
  }

  async *readAll(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly RecordedEvent[]> {
    if (this.#closed) throw closedError(TRAITS.url);
    const runs = this.#runs.map(({ log, first, end }) => ({ log, first: Math.max(first, log.first), end }));
    let page: RecordedEvent[] = [];
    for (const { log, first, end } of runs) {
      for (let at = first; at < end; at += PAGE_EVENTS) {
        options.signal?.throwIfAborted();
        page.push(...log.slice(at, Math.min(end, at + PAGE_EVENTS)));
        if (page.length < PAGE_EVENTS) continue;
        yield page.map(lift);
        page = [];
      }
    }
    if (page.length > 0) yield page.map(lift);
  }

  async *subscribe(stream: string, options: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    if (this.#closed) throw closedError(TRAITS.url);
    const page = (from: number, limit: number) =>
      this.#log(stream)
        .slice(from, from + limit)
        .map(lift);
    const grown = () => this.#wakers.wait(stream, options.signal);
    const ended = () => this.#closed || options.signal?.aborted === true;
    yield* follow(
      { page, grown, ended, pageEvents: PAGE_EVENTS },
      { ...options, from: options.from ?? this.history.first(stream) },
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakers.wakeAll();
  }

  /** Runs of events of one stream that are noted: for tests of how many there are. */
  get runs(): number {
    return this.#runs.length;
  }

  #remainsOf<R extends Remains>(stream: string, make: () => R): R | undefined {
    const known = this.#remains.get(stream) as R | undefined;
    if (known !== undefined || this.history.first(stream) > 0) return known;
    const made = make();
    this.#remains.set(stream, made);
    return made;
  }

  /** Of as many as an append brings as many go, in the long run; where many small ones make way for large ones, so many at once. */
  #trim(log: PackedLog, appended: number): void {
    const { events, bytes } = this.#bounds;
    const isOver = () => log.length - log.first > events || log.bytes > bytes;
    if (!isOver()) return;
    const remains = this.#remains.get(log.stream);
    const least = Math.max(log.length - appended, log.first);
    const end = Math.min(least, log.first + Math.max(MAX_GOING, appended));
    while (log.first < end && isOver()) {
      remains?.take(log.at(log.first));
      log.letGo();
    }
  }

  /** A run whose events are all gone goes too. */
  #trimRuns(): void {
    if (this.#runs.length < 2 * this.#runsKept + MIN_RUNS) return;
    this.#runs = this.#runs.filter(({ log, end }) => end > log.first);
    this.#runsKept = this.#runs.length;
  }

  #log(stream: string): PackedLog {
    if (this.#closed) throw closedError(TRAITS.url);
    return this.#streams.get(stream) ?? NOTHING;
  }

  #create(stream: string): PackedLog {
    const log = new PackedLog(stream);
    this.#streams.set(stream, log);
    return log;
  }

  #push(stream: string, log: PackedLog, events: readonly NewEvent[], folded: boolean): void {
    let run = this.#runs.at(-1);
    if (run?.log !== log) {
      this.#trimRuns();
      run = { log, first: log.length, end: log.length };
      this.#runs.push(run);
    }
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      if (folded && isRecorded(event, stream, log.length)) log.pushFolded(event);
      else log.push(record(event, stream, log.length));
    }
    run.end = log.length;
  }
}

/** The identical batch at its own place is answered as the first time; anything else there is a conflict. */
function atAnotherRevision(there: PackedLog, events: readonly NewEvent[], expected: number): AppendResult {
  const end = expected + events.length;
  if (expected + 1 < there.first) return { outcome: 'conflict', revision: there.length - 1 };
  if (isIdentical(events, there.slice(expected + 1, end + 1))) return { outcome: 'appended', revision: end };
  return { outcome: 'conflict', revision: there.length - 1 };
}

function isRecorded(event: NewEvent, stream: string, revision: number): event is RecordedEvent {
  const { stream: ofStream, revision: at } = event as Partial<RecordedEvent>;
  return at === revision && ofStream === stream;
}

function record(event: NewEvent, stream: string, revision: number): RecordedEvent {
  const { id, type, schemaVersion, at, data, metadata } = structuredClone(event);
  return { id, type, schemaVersion, at, data, metadata, stream, revision };
}

const closed = (): AppendResult => ({ outcome: 'failed', retryable: false, cause: closedError(TRAITS.url) });

/** As text, so that later changes to the state do not reach what was saved. */
class MemorySnapshots implements SnapshotStore {
  readonly #saved = new Map<string, Omit<Snapshot, 'parts'> & { readonly lines: readonly Buffer[] }>();

  async save(stream: string, { parts, ...head }: Snapshot): Promise<void> {
    const lines: Buffer[] = [];
    for await (const line of jsonLines(parts)) lines.push(line);
    this.#saved.set(stream, { ...head, lines });
  }

  async load(stream: string): Promise<Snapshot | undefined> {
    const saved = this.#saved.get(stream);
    if (saved === undefined) return undefined;
    const { lines, ...head } = saved;
    return { ...head, parts: await parseLines(Buffer.concat(lines)) };
  }

  async delete(stream: string): Promise<void> {
    this.#saved.delete(stream);
  }
}
