import type { Clock } from '../model/clock.ts';
import { isPoolError, PoolError } from '../model/errors.ts';
import { type Call, outage } from './call.ts';

const RETRY_AFTER_MS = 1_000;
const NO_ANSWER = 'the event store does not answer';
/** A definite failure is tried again at least so often, if the store says that it may pass, and as long as callers are patient. */
const MAX_FAILURES = 3;

export interface PatienceOptions {
  readonly clock: Clock;
  /** How long callers are kept waiting for a log that does not answer, ms. */
  readonly patienceMs: number;
  /** Called when they have waited long enough. */
  readonly over: () => void;
  /** Told when the log does not accept (false), or accepts again (true): not each try to find out. */
  readonly logAccepts: (accepts: boolean) => void;
}

/**
 * Patience with a log that does not answer: how long callers are kept waiting for it, and what is still taken in. It runs while an
 * append, or a read, has not been answered definitely: never while others are waited for, or what they wrote is read.
 */
export class Patience {
  readonly #options: PatienceOptions;
  /** `refuses`: no allocate is taken in. `silent`: no caller's command at all. */
  #log: 'accepts' | 'refuses' | 'silent' = 'accepts';
  #toldAccepts = true;
  #cancel: (() => void) | undefined;
  #failingSinceMs = 0;
  /** Appends that failed definitely, one after the other. */
  failuresInRow = 0;

  constructor(options: PatienceOptions) {
    this.#options = options;
  }

  /** The last append's outcome is known, and it did not fail. */
  get accepts(): boolean {
    return this.#log === 'accepts';
  }

  /** Why this allocate is not taken in; undefined if it is. */
  refusesAllocate(): PoolError | undefined {
    return this.#log === 'accepts' ? undefined : unavailable('the event store does not accept events');
  }

  /** Why this command is not taken in; undefined if it is. */
  refuses(call: Call): PoolError | undefined {
    return this.#log === 'silent' && call.asked ? unavailable(NO_ANSWER) : undefined;
  }

  /** Begins, if it does not run already. */
  start(): void {
    const { clock, patienceMs, over } = this.#options;
    this.#cancel ??= clock.schedule(patienceMs, over);
  }

  /** Callers have waited long enough: from now on they are refused at once. */
  runOut(): void {
    this.#log = 'silent';
  }

  /** The log has answered. Whether it accepts is another question. */
  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#log === 'silent') this.#log = 'refuses';
  }

  /** The next batch is the probe of whether the log accepts again. */
  probe(): void {
    this.#log = 'accepts';
  }

  accepted(): void {
    this.#log = 'accepts';
    this.#tell(true);
  }

  refused(): void {
    if (this.#log === 'accepts') this.#log = 'refuses';
    this.#tell(false);
  }

  /** An append has failed definitely. True: it is worth another try, if the store says so, too. */
  appendFailed(): boolean {
    const nowMs = this.#options.clock.monotonic();
    this.failuresInRow += 1;
    if (this.failuresInRow === 1) this.#failingSinceMs = nowMs;
    return nowMs - this.#failingSinceMs < this.#options.patienceMs || this.failuresInRow <= MAX_FAILURES;
  }

  #tell(accepts: boolean): void {
    if (this.#toldAccepts === accepts) return;
    this.#toldAccepts = accepts;
    this.#options.logAccepts(accepts);
  }
}

/** An outage, as callers see it: nothing was done. */
export const unavailable = (why: string, cause?: unknown): PoolError =>
  outage('LOG_UNAVAILABLE', why, RETRY_AFTER_MS, cause);

export const overloaded = (waiting: number): PoolError =>
  outage('OVERLOADED', `${waiting} commands wait already`, RETRY_AFTER_MS);

export const draining = (): PoolError => outage('DRAINING', 'the manager is closed', RETRY_AFTER_MS);

/** Tells the callers, and gives back the manager's own commands, which are tried again. */
export function refuseAsked(calls: readonly Call[], why = NO_ANSWER, cause?: unknown): Call[] {
  for (const call of calls) if (call.asked) call.failed(unavailable(why, cause));
  return calls.filter((call) => !call.asked);
}

/** Tells the callers of a batch that nobody knows whether it was done. */
export function tellDoubt(calls: readonly Call[]): void {
  const unknown = new PoolError('OUTCOME_UNKNOWN', 'the event store did not say whether it was done', {
    details: { retryAfterMs: RETRY_AFTER_MS },
  });
  for (const call of calls) if (call.asked) call.failed(unknown);
}

/** Why nothing is served any more, as callers see it. */
export function poisonError(poison: unknown): PoolError {
  if (isPoolError(poison) && poison.code === 'LOG_UNAVAILABLE') return unavailable(poison.message);
  return new PoolError('INTERNAL', 'the manager has stopped serving after an internal error', { cause: poison });
}
