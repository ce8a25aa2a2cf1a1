import type { Observable } from 'rxjs';
import { type Actor, createActor } from 'xstate';
import type { BreakerMode, BreakerTrigger } from '../../model/modes.ts';
import { breakerMachine } from '../breaker.machine.ts';
import type { BreakerResume, BreakerWait } from '../resume.ts';
import type { LiveCommand } from './command.ts';
import type { Waiting } from './sources.ts';

/** The longest that the configuration lets each mode wait, ms. */
export interface BreakerLimits {
  readonly openMs: number;
  readonly halfOpenMs: number;
}

/** This writer's breaker, running: it waits for the end of the open time and of the half-open one. */
export class BreakerActor {
  readonly #actor: Actor<typeof breakerMachine>;

  constructor(resume: BreakerResume, waiting: Waiting, limits: () => BreakerLimits) {
    const elapsed = (trigger: BreakerTrigger, wait: BreakerWait, limitMs: number): Observable<LiveCommand> =>
      waiting.at(wait.until, limitMs, { type: 'TriggerBreaker', data: { trigger, generation: wait.generation } });
    const machine = breakerMachine.provide({
      actors: {
        openTime: waiting.source<BreakerWait>((wait) => elapsed('openElapsed', wait, limits().openMs)),
        halfOpenTime: waiting.source<BreakerWait>((wait) => elapsed('halfOpenElapsed', wait, limits().halfOpenMs)),
      },
    });
    this.#actor = createActor(machine, { input: resume }).start();
  }

  get mode(): BreakerMode {
    return this.#actor.getSnapshot().value as BreakerMode;
  }

  feed(trigger: BreakerTrigger, wait: BreakerWait): void {
    this.#actor.send({ type: trigger, until: wait.until, generation: wait.generation });
  }

  stop(): void {
    this.#actor.stop();
  }
}
