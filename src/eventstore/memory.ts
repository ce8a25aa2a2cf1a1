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
import { PAGE_EVENTS, readRange } from './ranges.ts';
import { lift } from './upcast.ts';

const TRAITS: StoreTraits = {
  durable: false,
  shared: false,
  maxAppendEvents: 65_536,
  maxAppendBytes: Number.POSITIVE_INFINITY,
  url: 'memory:',
};

const NOTHING: readonly RecordedEvent[] = [];

/**
 * Streams held in this process and gone with it. Answers every append at once. An event that already carries its stream and
 * revision is kept as the object it is, unchecked, because its maker has folded it; any other is checked and copied.
 */
export class MemoryEventStore implements EventStore {
  readonly traits = TRAITS;
  readonly snapshots: SnapshotStore = new MemorySnapshots();
  readonly #streams = new Map<string, RecordedEvent[]>();
  readonly #all: RecordedEvent[] = [];
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
    const all = this.#all;
    yield* readRange(options, PAGE_EVENTS, all.length - 1, (first, last) => all.slice(first, last + 1).map(lift));
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

  #log(stream: string): readonly RecordedEvent[] {
    if (this.#closed) throw closedError(TRAITS.url);
    return this.#streams.get(stream) ?? NOTHING;
  }

  #create(stream: string): RecordedEvent[] {
    const events: RecordedEvent[] = [];
    this.#streams.set(stream, events);
    return events;
  }

  #push(stream: string, there: RecordedEvent[], events: readonly NewEvent[]): void {
    for (const event of events) {
      const recorded = isRecorded(event, stream, there.length) ? event : record(event, stream, there.length);
      there.push(recorded);
      this.#all.push(recorded);
    }
  }
}

/** The identical batch at its own place is answered as the first time; anything else there is a conflict. */
function atAnotherRevision(
  there: readonly RecordedEvent[],
  events: readonly NewEvent[],
  expected: number,
): AppendResult {
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
  readonly #texts = new Map<string, string>();

  async save(stream: string, snapshot: Snapshot): Promise<void> {
    this.#texts.set(stream, JSON.stringify(snapshot));
  }

  async load(stream: string): Promise<Snapshot | undefined> {
    const text = this.#texts.get(stream);
    return text === undefined ? undefined : (JSON.parse(text) as Snapshot);
  }

  async delete(stream: string): Promise<void> {
    this.#texts.delete(stream);
  }
}
