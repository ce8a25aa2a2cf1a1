import { evolve } from '../domain/evolve.ts';
import type { LeaseRecord, PoolState } from '../domain/state.ts';
import { readRange } from '../eventstore/read-range.ts';
import type { Clock } from '../model/clock.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { RepeatedFailure } from '../model/repeated-failure.ts';
import { backoffMs, type Jitter, sleep } from '../time/backoff.ts';
import { nextTurn } from '../time/turn.ts';

/** So many events that come while an append is under way are kept; the rest is read again. */
const MAX_KEPT = 1_024;

export interface ForeignEventsOptions {
  readonly store: EventStore;
  readonly stream: string;
  readonly clock: Clock;
  readonly jitter: Jitter;
  /** The working state, with all that was decided on it. */
  readonly state: () => PoolState;
  readonly closing: AbortSignal;
  readonly failure: RepeatedFailure;
  /** True: an error is final, and the log is not read again. */
  readonly isPoisoned: () => boolean;
  /** `leases`: for each event the one that it grants or ends. */
  readonly folded: (events: readonly RecordedPoolEvent[], leases: readonly (LeaseRecord | undefined)[]) => void;
  /** The events do not follow from the state: the history is impossible. */
  readonly impossible: (error: unknown) => void;
  /** A read of the log has failed; it is tried again. */
  readonly readFailed: () => void;
}

/** What other writers append: taken into the state at once, or kept while an append is under way and taken in after it. */
export class ForeignEvents {
  readonly #options: ForeignEventsOptions;
  /** What came while an append was under way, without gaps: own events, or those that have defeated it. */
  #kept: RecordedPoolEvent[] = [];
  /** The last revision that is known of. */
  #behindTo = -1;

  constructor(options: ForeignEventsOptions) {
    this.#options = options;
  }

  /** The log is known to go further than the state, even with what is kept. */
  get areMissing(): boolean {
    return this.#behindTo > this.#options.state().revision;
  }

  keep(events: readonly RecordedPoolEvent[]): void {
    this.#behindTo = Math.max(this.#behindTo, events.at(-1)!.revision);
    const follows = this.#kept.length === 0 || events[0]!.revision === this.#kept.at(-1)!.revision + 1;
    if (follows && this.#kept.length < MAX_KEPT) this.#kept.push(...events);
  }

  /** Takes in what was kept, as far as it follows. */
  foldKept(): void {
    if (this.#kept.length === 0) return;
    const { revision } = this.#options.state();
    const events = this.#kept.filter((event) => event.revision > revision);
    this.#kept = [];
    if (events[0]?.revision === revision + 1) this.#fold(events);
  }

  /** Takes in what is new of them. False: there is a gap before the first, and nothing was taken in. */
  fold(events: readonly RecordedPoolEvent[]): boolean {
    const { revision } = this.#options.state();
    if (events[0]!.revision > revision + 1) return false;
    this.#fold(events.filter((event) => event.revision > revision));
    return true;
  }

  /** Reads the log to its end and takes it in. False: the engine closes, and the log could not be read. */
  async readTail(): Promise<boolean> {
    const { store, stream, clock, jitter, closing, failure, state, isPoisoned, readFailed } = this.#options;
    for (let attempt = 1; attempt <= 3 || !closing.aborted; attempt++) {
      try {
        const range = { turn: nextTurn };
        const tail = readRange<RecordedPoolEvent>(store, stream, state().revision + 1, undefined, range);
        for await (const events of tail) this.#fold(events);
        failure.ended();
        return true;
      } catch (error) {
        if (isPoisoned()) throw error;
        readFailed();
        failure.failed(error);
        await sleep(clock, backoffMs(attempt, 10, 2_000, jitter), closing);
      }
    }
    return false;
  }

  #fold(events: readonly RecordedPoolEvent[]): void {
    const state = this.#options.state();
    const leases: (LeaseRecord | undefined)[] = [];
    try {
      for (const event of events) leases.push(evolve(state, event));
    } catch (error) {
      this.#options.impossible(error);
      throw error;
    }
    this.#options.folded(events, leases);
  }
}
