import { emptyState, type PoolState } from '../domain/state.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { fold } from './fold.ts';
import type { Projection } from './projection.ts';

/** More events than this never wait: a read after any burst folds about a millisecond's worth at most. */
const MAX_LAG_EVENTS = 1_024;

/**
 * Keeps projections, and the committed state that they read, up with the log. Events are queued by reference when they
 * are committed, and folded later: before any read, when too many wait, or when the owner is idle and calls `catchUp`.
 * So they cost the callers of the manager nothing. An event that cannot be folded is a bug: it is thrown then and ever after.
 */
export class ProjectionRunner {
  readonly #projections: readonly Projection[];
  readonly #maxLagEvents: number;
  #state: PoolState = emptyState();
  #lastEventId: string | null = null;
  #waiting: (readonly RecordedPoolEvent[])[] = [];
  #lag = 0;
  #broken: { readonly error: unknown } | undefined;

  constructor(projections: readonly Projection[], maxLagEvents = MAX_LAG_EVENTS) {
    this.#projections = projections;
    this.#maxLagEvents = maxLagEvents;
  }

  /** Takes over a batch that is committed; neither the array nor its events may be changed afterwards. */
  enqueue(batch: readonly RecordedPoolEvent[]): void {
    this.#waiting.push(batch);
    this.#lag += batch.length;
    if (this.#lag > this.#maxLagEvents) this.catchUp();
  }

  /** Committed events that are not folded yet. */
  get lag(): number {
    return this.#lag;
  }

  /** Folds all that waits. */
  catchUp(): void {
    if (this.#broken !== undefined) throw this.#broken.error;
    if (this.#lag === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#lag = 0;
    try {
      for (const batch of waiting) fold(this.#state, this.#projections, batch);
      this.#lastEventId = waiting.at(-1)?.at(-1)?.id ?? this.#lastEventId;
    } catch (error) {
      this.#broken = { error };
      throw error;
    }
  }

  /** The pool as the committed events make it, all of them. To be read, never to be changed or kept over an `await`. */
  current(): PoolState {
    this.catchUp();
    return this.#state;
  }

  /** Of the last event that `current()` has folded; null before the first. */
  get lastEventId(): string | null {
    this.catchUp();
    return this.#lastEventId;
  }

  /** Goes on from a state that this runner alone holds from here on, and from what projections saved at its revision. */
  load(state: PoolState, saved: Readonly<Record<string, unknown>>, lastEventId: string | null): void {
    this.#state = state;
    this.#lastEventId = lastEventId;
    this.#waiting = [];
    this.#lag = 0;
    this.#broken = undefined;
    for (const projection of this.#projections) {
      projection.reset();
      if (Object.hasOwn(saved, projection.name)) projection.load(saved[projection.name], state);
    }
  }

  /** What each projection holds, by its name, at the revision of `current()`. */
  save(): Readonly<Record<string, unknown>> {
    this.catchUp();
    return Object.fromEntries(this.#projections.map((projection) => [projection.name, projection.save()]));
  }
}
