import { NEVER, type Observable, tap } from 'rxjs';
import { type Actor, createActor } from 'xstate';
import type { TierMode, TierTrigger } from '../../model/modes.ts';
import type { TierResume } from '../resume.ts';
import { type DrainDeadline, tierMachine } from '../tier.machine.ts';
import { tierMode } from '../transitions.ts';
import type { Waiting } from './sources.ts';

export interface TierTiming {
  /** The longest that a drain can still take by the log, ms: what bounds a wrong wall clock. */
  readonly drainLimitMs: (deadlineAt: number) => number;
  /** How often a pressured tier samples, ms; a new value counts at once. */
  readonly sampleMs$: Observable<number>;
  /** Told at each sample of a pressured tier, before its load is judged: the detector may look again. */
  readonly sampleFaster: (tier: string) => void;
}

/** One tier's machine, running: it waits for the end of a drain, and samples while the tier is pressured. */
export class TierActor {
  readonly #actor: Actor<typeof tierMachine>;

  constructor(tier: string, resume: TierResume, waiting: Waiting, timing: TierTiming) {
    const machine = tierMachine.provide({
      actors: {
        drainDeadline: waiting.source<DrainDeadline>(({ deadlineAt }) =>
          deadlineAt === null
            ? NEVER
            : waiting.at(deadlineAt, timing.drainLimitMs(deadlineAt), {
                type: 'EndTierDrain',
                data: { tier, deadlineAt },
              }),
        ),
        fasterSampling: waiting.source<undefined>(() =>
          waiting
            .each(timing.sampleMs$, { type: 'JudgeLoad', data: { tier } })
            .pipe(tap(() => timing.sampleFaster(tier))),
        ),
      },
    });
    this.#actor = createActor(machine, { input: resume }).start();
  }

  get mode(): TierMode {
    const { admission, load } = this.#actor.getSnapshot().value as TierMode;
    return tierMode(admission, load);
  }

  feed(trigger: TierTrigger, deadlineAt: number | null): void {
    this.#actor.send({ type: trigger, deadlineAt });
  }

  stop(): void {
    this.#actor.stop();
  }
}
