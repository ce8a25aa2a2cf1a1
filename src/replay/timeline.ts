import { evolve } from '../domain/evolve.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import { poolView } from '../domain/views.ts';
import { type FieldError, invalid, PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { Moment } from '../model/reading.ts';
import type { PoolView } from '../model/views.ts';
import type { EventSource } from '../projections/event-page.ts';
import { frameOf, stateFrom, wholeCopy, withoutPast } from './copy-state.ts';
import { isUpTo, Keyframes } from './keyframes.ts';

const END = Number.MAX_SAFE_INTEGER;
/** A seek's state is carried over to the next with at most so many ended leases, which no view shows. */
const MAX_ENDED_CARRIED = 1_024;

/**
 * The pool as it was. A moment is a revision, which is included, or an instant: then all that is dated up to it is. Both
 * folds read committed events by the one `evolve`, so what they give is what was. A page of the source is folded at once: a source
 * that waits before each page gives others their turn.
 */
export class Timeline {
  readonly #source: EventSource<RecordedPoolEvent>;
  readonly #base: () => PoolState | undefined;
  readonly #keyframes: Keyframes;
  readonly #rest: () => Promise<void>;
  /** Where the last seek ended: the next one often goes on from there. A seek takes it out while it folds it on. */
  #last: PoolState | undefined;
  /** The highest revision seen. */
  #known = -1;
  /** Seeks go one after the other, so that many that begin at once share the way: the first one leaves keyframes on it. */
  #seeks: Promise<unknown> = Promise.resolve();

  /**
   * `base`: the state before the first event that is still there; it moves on as events go. Undefined = all are there. `rest`: waited
   * for after each step of what is long and reads nothing: it lets others have their turn when it is time.
   */
  constructor(
    source: EventSource<RecordedPoolEvent>,
    keyframes = new Keyframes(),
    base: () => PoolState | undefined = () => undefined,
    rest: () => Promise<void> = async () => undefined,
  ) {
    this.#source = source;
    this.#rest = rest;
    this.#base = base;
    this.#keyframes = keyframes;
  }

  /**
   * The pool's view at a moment. Folds at most the distance between two keyframes (4 096 events; more as leases and log
   * grow) where it has been before, and the whole way there the first time. Throws NOT_FOUND before the first event and for
   * a revision that is not there yet, INVALID_REQUEST for what is no moment, and the reason of `signal`.
   */
  poolAt(moment: Moment, signal?: AbortSignal): Promise<PoolView> {
    const seek = this.#seeks.then(() => this.#poolAt(moment, signal));
    this.#seeks = seek.catch(() => undefined);
    return seek;
  }

  async #poolAt(moment: Moment, signal: AbortSignal | undefined): Promise<PoolView> {
    checkMoment(moment);
    signal?.throwIfAborted();
    await this.#mustExist(moment);
    const state = await this.#foldFromKept(moment, signal);
    mustReach(state, moment);
    const view = poolView(state);
    this.#last = state.ended.size > MAX_ENDED_CARRIED ? withoutPast(state) : state;
    return view;
  }

  /**
   * The whole state at a moment, ended leases and keys included, as the caller's own. It is folded from the first event that is kept:
   * for a fork or a proof; `poolAt` is what looking around needs. Throws as `poolAt` does.
   */
  async stateAt(moment: Moment): Promise<PoolState> {
    checkMoment(moment);
    await this.#mustExist(moment);
    for (;;) {
      const base = this.#base();
      mustBeKept(base, moment);
      const state = isBegun(base) ? await this.#inSteps(wholeCopy(base)) : emptyState();
      try {
        await this.#foldTo(state, moment, () => {});
        mustReach(state, moment);
        return state;
      } catch (error) {
        if ((this.#base()?.revision ?? -1) <= state.revision) throw error;
      }
    }
  }

  /** A base that moves past a seek before its first read has taken what that began from: it begins anew. */
  async #foldFromKept(moment: Moment, signal: AbortSignal | undefined): Promise<PoolState> {
    for (;;) {
      mustBeKept(this.#base(), moment);
      const state = await this.#start(moment);
      try {
        await this.#foldTo(state, moment, (folded) => this.#keyframes.offer(folded), signal);
        return state;
      } catch (error) {
        if ((this.#base()?.revision ?? -1) <= state.revision) throw error;
      }
    }
  }

  async #start(moment: Moment): Promise<PoolState> {
    const base = this.#base();
    if (isBegun(base)) this.#forgetBefore(base);
    const frame = this.#keyframes.before(moment);
    const last = this.#last;
    if (last !== undefined && isUpTo(last, moment) && last.revision >= (frame?.revision ?? -1)) {
      this.#last = undefined;
      return last;
    }
    if (frame !== undefined) return this.#inSteps(stateFrom(frame));
    return isBegun(base) ? this.#inSteps(stateFrom(frameOf(base))) : emptyState();
  }

  async #inSteps(steps: Generator<undefined, PoolState>): Promise<PoolState> {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return step.value;
      await this.#rest();
    }
  }

  /** From what lies before the base nothing can be folded on: the events between are gone. */
  #forgetBefore(base: PoolState): void {
    this.#keyframes.forgetBefore(base.revision);
    if (this.#last !== undefined && this.#last.revision < base.revision) this.#last = undefined;
  }

  /** So that asking for a revision far off does not fold the whole log before it is refused. */
  async #mustExist(moment: Moment): Promise<void> {
    if (!('revision' in moment) || moment.revision <= this.#known) return;
    for await (const events of this.#source(moment.revision, moment.revision)) if (events.length > 0) return;
    throw new PoolError('NOT_FOUND', `revision: there is no revision ${moment.revision} yet`, { details: moment });
  }

  async #foldTo(
    state: PoolState,
    moment: Moment,
    folded: (state: PoolState) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const to = 'revision' in moment ? moment.revision : END;
    if (state.revision >= to) return;
    for await (const events of this.#source(state.revision + 1, to)) {
      signal?.throwIfAborted();
      this.#known = Math.max(this.#known, events.at(-1)?.revision ?? -1);
      for (const event of events) {
        if ('at' in moment && event.at > moment.at) return;
        evolve(state, event);
        folded(state);
      }
    }
  }
}

const isBegun = (base: PoolState | undefined): base is PoolState => base !== undefined && base.revision >= 0;

/** Throws NOT_FOUND for what was before the first event that is kept, naming that. */
function mustBeKept(base: PoolState | undefined, moment: Moment): void {
  if (!isBegun(base) || ('revision' in moment ? moment.revision > base.revision : moment.at >= base.at)) return;
  const [field, value] = Object.entries(moment)[0]!;
  const first = base.revision + 1;
  throw new PoolError(
    'NOT_FOUND',
    `${field}: ${value} is not kept any more; the first revision that is there is ${first}`,
    {
      details: { ...moment, first },
    },
  );
}

function checkMoment(moment: Moment): void {
  const errors: FieldError[] = Object.entries(moment)
    .filter(([, value]) => !Number.isSafeInteger(value) || value < 0)
    .map(([path, value]) => ({ path, value, allowed: 'a whole number from 0' }));
  if (errors.length > 0) throw invalid(errors);
}

function mustReach(state: PoolState, moment: Moment): void {
  if ('revision' in moment ? state.revision === moment.revision : state.revision >= 0) return;
  const [field, value] = Object.entries(moment)[0]!;
  throw new PoolError('NOT_FOUND', `${field}: the log has nothing at ${value}; it reaches to ${state.revision}`, {
    details: moment,
  });
}
