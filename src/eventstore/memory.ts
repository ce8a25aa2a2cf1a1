import type {
  AppendResult,
  EventStore,
  ReadOptions,
  Snapshot,
  SnapshotStore,
  StoreTraits,
  SubscribeOptions,
  SubscriptionItem,
} from '../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../model/events.ts';
import { isIdentical, refuseBatch } from './batch.ts';
import { closedError } from './errors.ts';
import { follow, Wakers } from './follow.ts';
import { PackedLog } from './packed-log.ts';
import { PAGE_EVENTS, readRange } from './ranges.ts';
import { jsonLines, parseLines } from './snapshot-text.ts';
import { lift } from './upcast.ts';

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
  /** The place of the first among all. */
  readonly place: number;
}

/**
 * Streams held in this process and gone with it. Answers every append at once. An event that already carries its stream and
 * revision is kept unchecked and not copied, because its maker has folded it; any other is checked and copied.
 */
export class MemoryEventStore implements EventStore {
  readonly traits = TRAITS;
  readonly snapshots: SnapshotStore = new MemorySnapshots();
  readonly #streams = new Map<string, PackedLog>();
  readonly #runs: Run[] = [];
  #count = 0;
  readonly #wakers = new Wakers();
  #closed = false;

  append(stream: string, events: readonly NewEvent[], expectedRevision: number): AppendResult {
    if (this.#closed) return closed();
    const there = this.#streams.get(stream);
    const last = (there?.length ?? 0) - 1;
    const first = last + 1;
    if (there === undefined || !areRecorded(events, stream, first) || events.length > TRAITS.maxAppendEvents) {
      const refusal = refuseBatch(stream, events, expectedRevision, this.traits);
      if (refusal !== undefined) return refusal;
    }
    if (expectedRevision !== last) return atAnotherRevision(there ?? NOTHING, events, expectedRevision);
    this.#push(stream, there ?? this.#create(stream), events);
    if (this.#wakers.any) this.#wakers.wake(stream);
    return { outcome: 'appended', revision: last + events.length };
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const events = this.#log(stream);
    yield* readRange(options, PAGE_EVENTS, events.length - 1, (first, last) => events.slice(first, last + 1).map(lift));
  }

  async *readAll(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly RecordedEvent[]> {
    if (this.#closed) throw closedError(TRAITS.url);
    yield* readRange(options, PAGE_EVENTS, this.#count - 1, (first, last) => this.#range(first, last).map(lift));
  }

  async *subscribe(stream: string, options: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    if (this.#closed) throw closedError(TRAITS.url);
    const page = (from: number, limit: number) =>
      this.#log(stream)
        .slice(from, from + limit)
        .map(lift);
    const grown = () => this.#wakers.wait(stream, options.signal);
    const ended = () => this.#closed || options.signal?.aborted === true;
    yield* follow({ page, grown, ended, pageEvents: PAGE_EVENTS }, options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakers.wakeAll();
  }

  /** Of all events, those at the places from `first` to `last`. */
  #range(first: number, last: number): RecordedEvent[] {
    const events: RecordedEvent[] = [];
    for (const [i, { log, first: revision, place }] of this.#runs.entries()) {
      const end = this.#runs[i + 1]?.place ?? this.#count;
      if (end <= first || place > last) continue;
      const [from, to] = [Math.max(first, place), Math.min(last + 1, end)];
      events.push(...log.slice(revision + from - place, revision + to - place));
    }
    return events;
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

  #push(stream: string, log: PackedLog, events: readonly NewEvent[]): void {
    if (this.#runs.at(-1)?.log !== log) this.#runs.push({ log, first: log.length, place: this.#count });
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      if (isRecorded(event, stream, log.length)) log.pushFolded(event);
      else log.push(record(event, stream, log.length));
    }
    this.#count += events.length;
  }
}

/** The identical batch at its own place is answered as the first time; anything else there is a conflict. */
function atAnotherRevision(there: PackedLog, events: readonly NewEvent[], expected: number): AppendResult {
  const end = expected + events.length;
  if (isIdentical(events, there.slice(expected + 1, end + 1))) return { outcome: 'appended', revision: end };
  return { outcome: 'conflict', revision: there.length - 1 };
}

function isRecorded(event: NewEvent, stream: string, revision: number): event is RecordedEvent {
  const { stream: ofStream, revision: at } = event as Partial<RecordedEvent>;
  return at === revision && ofStream === stream;
}

function areRecorded(events: readonly NewEvent[], stream: string, first: number): boolean {
  for (let i = 0; i < events.length; i++) if (!isRecorded(events[i]!, stream, first + i)) return false;
  return events.length > 0;
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
