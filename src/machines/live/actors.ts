import { BehaviorSubject, distinctUntilChanged, map, type Observable, type Subscription } from 'rxjs';
import type { Clock } from '../../model/clock.ts';
import type { ResolvedConfig } from '../../model/config/config.ts';
import type { EventData, RecordedPoolEvent } from '../../model/events.ts';
import type { BreakerMode, TierMode } from '../../model/modes.ts';
import type { BreakerResume, TierResume } from '../resume.ts';
import { TIER_INITIAL } from '../transitions.ts';
import { BreakerActor, type BreakerLimits } from './breaker-actor.ts';
import type { LiveCommand } from './command.ts';
import { Waiting } from './sources.ts';
import { TierActor, type TierTiming } from './tier-actor.ts';

export interface LiveActorsOptions {
  readonly clock: Clock;
  /** Whose breaker runs here; the breakers of other writers are theirs. */
  readonly writerId: string;
  readonly committed$: Observable<readonly RecordedPoolEvent[]>;
  /** Takes in what a waiting mode asks for. It may refuse, it must not throw: what is still due is asked for again. */
  readonly dispatch: (command: LiveCommand) => void;
  /** Told at each sample of a pressured tier, so that the detector samples faster, too. */
  readonly sampleFaster?: (tier: string) => void;
}

/** What the actors resume from: the fold as it stands when they start to listen. */
export interface LiveFold {
  /** Of the last event, Unix ms. */
  readonly at: number;
  readonly config: ResolvedConfig;
  readonly tiers: readonly ({ readonly name: string } & TierResume)[];
  readonly breaker: BreakerResume;
}

export interface LiveModes {
  readonly tiers: ReadonlyMap<string, TierMode>;
  readonly breaker: BreakerMode;
}

export interface LiveActors {
  /** Resumes from the fold and follows the committed events from here on. */
  start(fold: LiveFold): void;
  /**
   * A change of this writer's breaker that is in force and not appended yet; when it commits it is known already. Before
   * `start` it is part of what is resumed from.
   */
  breakerChanged(change: EventData['BreakerModeChanged']): void;
  /** The modes that the actors are in. Throws before `start`. */
  modes(): LiveModes;
  /** No timer runs on and nothing is dispatched any more. */
  stop(): void;
}

export type LiveActorsFactory = (options: LiveActorsOptions) => LiveActors;

/** One actor for each tier and one for this writer's breaker. They own all waiting; nothing else ends it. */
export const createLiveActors: LiveActorsFactory = (options) => new Actors(options);

class Actors implements LiveActors {
  readonly #options: LiveActorsOptions;
  readonly #waiting: Waiting;
  #running: Running | undefined;
  #subscription: Subscription | undefined;

  constructor(options: LiveActorsOptions) {
    this.#options = options;
    this.#waiting = new Waiting(options.clock, options.dispatch);
  }

  start(fold: LiveFold): void {
    if (this.#running !== undefined) throw new Error('the live actors run already');
    const running = new Running(this.#options, this.#waiting, fold);
    this.#running = running;
    this.#subscription = this.#options.committed$.subscribe((batch) => {
      for (const event of batch) running.follow(event);
    });
  }

  breakerChanged(change: EventData['BreakerModeChanged']): void {
    this.#running?.followBreaker(change);
  }

  modes(): LiveModes {
    return this.#get().modes();
  }

  stop(): void {
    this.#subscription?.unsubscribe();
    this.#running?.stop();
  }

  #get(): Running {
    if (this.#running === undefined) throw new Error('the live actors are not started');
    return this.#running;
  }
}

class Running {
  readonly #writerId: string;
  readonly #waiting: Waiting;
  readonly #config$: BehaviorSubject<ResolvedConfig>;
  readonly #timing: TierTiming;
  readonly #tiers = new Map<string, TierActor>();
  readonly #breaker: BreakerActor;
  #generation: number;
  /** Of the last event, Unix ms. */
  #at: number;

  constructor(options: LiveActorsOptions, waiting: Waiting, fold: LiveFold) {
    this.#writerId = options.writerId;
    this.#at = fold.at;
    this.#waiting = waiting;
    this.#config$ = new BehaviorSubject(fold.config);
    this.#timing = {
      drainLimitMs: (deadlineAt) => Math.max(0, deadlineAt - this.#at),
      sampleMs$: this.#config$.pipe(
        map((config) => config.load.sampleMs),
        distinctUntilChanged(),
      ),
      sampleFaster: options.sampleFaster ?? (() => undefined),
    };
    for (const { name, mode, deadlineAt } of fold.tiers) this.#addTier(name, { mode, deadlineAt });
    this.#breaker = new BreakerActor(fold.breaker, waiting, () => limitsOf(this.#config$.value));
    this.#generation = fold.breaker.generation;
    agree('breaker', this.#breaker.mode, fold.breaker.mode);
  }

  follow(event: RecordedPoolEvent): void {
    this.#at = event.at;
    if (event.type === 'TierModeChanged') this.#followTier(event.data);
    else if (event.type === 'BreakerModeChanged') this.followBreaker(event.data);
    else if (event.type === 'ConfigChanged') this.#configure(event.data.config);
  }

  followBreaker(change: EventData['BreakerModeChanged']): void {
    if (change.writerId !== this.#writerId || change.generation <= this.#generation) return;
    this.#generation = change.generation;
    this.#breaker.feed(change.trigger, change);
    agree('breaker', this.#breaker.mode, change.to);
  }

  modes(): LiveModes {
    return {
      tiers: new Map([...this.#tiers].map(([name, actor]) => [name, actor.mode])),
      breaker: this.#breaker.mode,
    };
  }

  stop(): void {
    for (const actor of this.#tiers.values()) actor.stop();
    this.#breaker.stop();
    this.#config$.complete();
  }

  #followTier({ tier, trigger, deadlineAt, to }: EventData['TierModeChanged']): void {
    const actor = this.#tiers.get(tier);
    if (actor === undefined) throw new Error(`tier ${tier} changed its mode and is in no configuration`);
    actor.feed(trigger, deadlineAt);
    agreeTier(tier, actor, to);
  }

  /** Tiers that stay keep their mode; a new one begins at the table's initial mode, as in the fold. */
  #configure(config: ResolvedConfig): void {
    const names = new Set(config.tiers.map((tier) => tier.name));
    for (const [name, actor] of this.#tiers) {
      if (names.has(name)) continue;
      actor.stop();
      this.#tiers.delete(name);
    }
    for (const name of names) if (!this.#tiers.has(name)) this.#addTier(name, { mode: TIER_INITIAL, deadlineAt: null });
    this.#config$.next(config);
  }

  #addTier(name: string, resume: TierResume): void {
    const actor = new TierActor(name, resume, this.#waiting, this.#timing);
    this.#tiers.set(name, actor);
    agreeTier(name, actor, resume.mode);
  }
}

const limitsOf = ({ breaker }: ResolvedConfig): BreakerLimits => ({
  openMs: breaker.maxOpenMs * (1 + breaker.jitterRatio),
  halfOpenMs: breaker.halfOpenMs,
});

const agreeTier = (tier: string, actor: TierActor, folded: TierMode): void => {
  const { admission, load } = actor.mode;
  agree(`tier ${tier}`, `${admission}/${load}`, `${folded.admission}/${folded.load}`);
};

/** The actor's mode is the folded one after every event. A difference is a bug, and waiting on would hide it. */
function agree(what: string, live: string, folded: string): void {
  if (live !== folded) throw new Error(`the actor of ${what} is ${live}, the fold is ${folded}`);
}
