import { type SchedulerAction, type SchedulerLike, Subscription } from 'rxjs';
import type { Clock } from '../model/clock.ts';

/** RxJS time over the model's Clock, so that one clock, real or faked, moves every timer of the process. */
export const clockScheduler = (clock: Clock): SchedulerLike => ({
  now: () => clock.now(),
  schedule: <T>(work: (this: SchedulerAction<T>, state: T) => void, delayMs = 0, state?: T): Subscription =>
    new ClockAction<T>(clock, work).schedule(state as T, delayMs),
});

/** One piece of work, at most one pending timer; scheduling it again, also from inside the work, replaces that timer. */
class ClockAction<T> extends Subscription implements SchedulerAction<T> {
  readonly #clock: Clock;
  readonly #work: (this: SchedulerAction<T>, state: T) => void;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, work: (this: SchedulerAction<T>, state: T) => void) {
    super(() => this.#cancel?.());
    this.#clock = clock;
    this.#work = work;
  }

  schedule(state?: T, delayMs = 0): this {
    if (this.closed) return this;
    this.#cancel?.();
    this.#cancel = this.#clock.schedule(Math.max(0, delayMs), () => this.#run(state as T));
    return this;
  }

  #run(state: T): void {
    this.#cancel = undefined;
    try {
      this.#work(state);
    } catch (error) {
      this.unsubscribe();
      throw error;
    }
  }
}
