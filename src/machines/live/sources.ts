import { interval, map, NEVER, type Observable, type SchedulerLike, switchMap, tap, timer } from 'rxjs';
import { fromObservable, type ObservableActorLogic } from 'xstate';
import type { Clock } from '../../model/clock.ts';
import { clockScheduler } from '../../time/clock-scheduler.ts';
import type { LiveCommand } from './command.ts';

/** A command may be lost (mailbox full, log away): what is still waited for is asked for again after this time. */
const REPEAT_MS = 1_000;

/** The waiting itself: every timer of every mode is made here, on the model's Clock. */
export class Waiting {
  readonly #clock: Clock;
  readonly #scheduler: SchedulerLike;
  readonly #dispatch: (command: LiveCommand) => void;

  constructor(clock: Clock, dispatch: (command: LiveCommand) => void) {
    this.#clock = clock;
    this.#scheduler = clockScheduler(clock);
    this.#dispatch = dispatch;
  }

  /** A source for a machine to invoke: what it yields is dispatched, as long as the state that invoked it stands. */
  source<Input extends object | undefined>(
    commands: (input: Input) => Observable<LiveCommand>,
  ): ObservableActorLogic<unknown, Input> {
    return fromObservable<unknown, Input>(({ input }) => commands(input).pipe(tap(this.#dispatch)));
  }

  /**
   * The command at `until` (Unix ms; null = never), and again until the state is left. It waits at most `limitMs`, so
   * that a wall clock that was set back while the process was down holds nothing up.
   */
  at(until: number | null, limitMs: number, command: LiveCommand): Observable<LiveCommand> {
    if (until === null) return NEVER;
    const delayMs = Math.min(Math.max(0, until - this.#clock.now()), limitMs);
    return timer(delayMs, REPEAT_MS, this.#scheduler).pipe(map(() => command));
  }

  /** The command at every period; a new period counts from when it is set. */
  each(periodMs$: Observable<number>, command: LiveCommand): Observable<LiveCommand> {
    return periodMs$.pipe(
      switchMap((periodMs) => interval(periodMs, this.#scheduler)),
      map(() => command),
    );
  }
}
