import { type AppendLimits, appendLimits, withinLimits } from '../eventstore/append-limits.ts';
import { readRange } from '../eventstore/read-range.ts';
import { PoolError } from '../model/errors.ts';
import type { AppendResult, EventStore } from '../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../model/events.ts';
import { backoffMs, sleep } from '../time/backoff.ts';
import { systemClock } from '../time/system-clock.ts';

/** One append of an import holds at most so many events. */
const BATCH_EVENTS = 1_024;
/** So often the identical batch is tried again while its outcome is unknown, which takes about a minute. */
const MAX_TRIES = 30;

/** One stream that is imported: first what lies there is compared, then what is missing is appended, in batches. */
export class StreamTarget {
  alreadyThere = 0;
  /** The token floor that an earlier import of the same events has raised at their end. */
  floorThere: number | undefined;
  readonly #store: EventStore;
  readonly #stream: string;
  readonly #limits: AppendLimits;
  readonly #there: AsyncIterator<RecordedEvent>;
  #compared = false;
  #batch: NewEvent[] = [];
  #bytes = 0;
  #next = 0;

  constructor(store: EventStore, stream: string) {
    const limits = appendLimits(store.traits);
    this.#store = store;
    this.#stream = stream;
    this.#limits = { ...limits, maxEvents: Math.min(limits.maxEvents, BATCH_EVENTS) };
    this.#there = eventsOf(store, stream);
  }

  async add({ stream: _, revision: __, ...event }: RecordedEvent): Promise<void> {
    if (!this.#compared && (await this.#isThere(event))) return;
    const bytes = withinLimits(this.#limits, this.#batch.length, this.#bytes, [event]);
    if (bytes < 0) {
      await this.#flush();
      this.#bytes = withinLimits(this.#limits, 0, 0, [event]);
    } else this.#bytes = bytes;
    this.#batch.push(event);
  }

  /** Everything that was added lies in the store, and nothing more. */
  async finish(): Promise<void> {
    if (!this.#compared) {
      const more = await this.#there.next();
      if (more.done !== true) await this.#takeFloors(more.value);
      this.#compared = true;
    }
    await this.#flush();
  }

  /** Once all is finished. */
  async append(event: NewEvent): Promise<void> {
    await this.#append([event]);
    this.#next += 1;
  }

  /** Behind the exported events nothing may lie but what an import of them puts there. */
  async #takeFloors(first: RecordedEvent): Promise<void> {
    for (let event: RecordedEvent | undefined = first; event !== undefined; event = await this.#nextThere()) {
      const { floor, reason } = event.data as { readonly floor?: number; readonly reason?: string };
      if (event.type !== 'TokenFloorRaised' || reason !== 'imported')
        throw this.#differs(event, 'the store has gone on beyond the export');
      this.floorThere = floor;
      this.#next = event.revision + 1;
    }
  }

  async #nextThere(): Promise<RecordedEvent | undefined> {
    const { done, value } = await this.#there.next();
    return done === true ? undefined : value;
  }

  async #isThere(event: NewEvent): Promise<boolean> {
    const { done, value } = await this.#there.next();
    if (done === true) {
      this.#compared = true;
      return false;
    }
    if (value.id !== event.id) throw this.#differs(value, `event ${value.id} lies there, not ${event.id}`);
    this.alreadyThere += 1;
    this.#next = value.revision + 1;
    return true;
  }

  async #flush(): Promise<void> {
    if (this.#batch.length === 0) return;
    await this.#append(this.#batch);
    this.#next += this.#batch.length;
    this.#batch = [];
    this.#bytes = 0;
  }

  async #append(batch: readonly NewEvent[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const result = await this.#store.append(this.#stream, batch, this.#next - 1);
      if (result.outcome === 'appended') return;
      if (attempt === MAX_TRIES || !mayPass(result)) throw this.#refused(result);
      await sleep(systemClock, backoffMs(attempt, 10, 5_000, Math.random));
    }
  }

  #refused(result: Exclude<AppendResult, { outcome: 'appended' }>): PoolError {
    const place = `${this.#stream}, revision ${this.#next}`;
    if (result.outcome === 'conflict')
      return new PoolError('REVISION_MISMATCH', `${place}: somebody else writes this pool; stop its managers first`);
    return new PoolError('LOG_UNAVAILABLE', `${place}: the events could not be appended`, { cause: result.cause });
  }

  #differs({ revision }: RecordedEvent, why: string): PoolError {
    return new PoolError('REVISION_MISMATCH', `${this.#stream}, revision ${revision}: ${why}; nothing was changed`);
  }
}

const mayPass = (result: AppendResult): boolean =>
  result.outcome === 'unknown' || (result.outcome === 'failed' && result.retryable);

async function* eventsOf(store: EventStore, stream: string): AsyncGenerator<RecordedEvent> {
  for await (const page of readRange(store, stream, 0)) yield* page;
}
