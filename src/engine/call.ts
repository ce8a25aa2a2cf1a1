import type { Answer } from '../domain/decide/answer.ts';
import type { Command } from '../model/commands.ts';
import type { ErrorCode } from '../model/errors.ts';
import { PoolError } from '../model/errors.ts';
import { refusalError } from '../model/refusals.ts';
import type { Shape } from './shape-cache.ts';

type Settle = (value: never) => void;
let lastResolve: Settle;
let lastReject: (error: unknown) => void;

const capture = (resolve: Settle, reject: (error: unknown) => void): void => {
  lastResolve = resolve;
  lastReject = reject;
};

/** A promise and what settles it. One function for all, which makes no closure for each. */
export function newPromise<T>(): {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
} {
  const promise = new Promise<T>(capture as never);
  return { promise, resolve: lastResolve as (value: T) => void, reject: lastReject };
}

/**
 * A command on its way through the engine, and who is told of its end. It is told once: `answered` when what was decided is
 * committed (or refused), `failed` when it is not going to be, or nobody can say.
 */
export interface Call {
  readonly command: Command;
  /** The request's shape, of an allocate whose shape is cached. */
  readonly shape: Shape | undefined;
  /** Asked for by a caller, who is told of an outage; the manager's own commands are tried again until they are through. */
  readonly asked: boolean;
  /** Nobody wants it any more: an undecided one is left out. */
  readonly dropped: boolean;
  answered(answer: Answer): void;
  failed(error: unknown): void;
}

/** A caller's command other than an allocate. It settles with what `present` makes of the answer; a refusal rejects. */
export class AskedCall<T> implements Call {
  readonly command: Command;
  readonly shape = undefined;
  readonly asked = true;
  readonly dropped = false;
  readonly promise: Promise<T>;
  readonly #present: (answer: Exclude<Answer, { kind: 'refused' }>) => T;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;

  constructor(command: Command, present: (answer: Exclude<Answer, { kind: 'refused' }>) => T) {
    this.command = command;
    this.#present = present;
    const { promise, resolve, reject } = newPromise<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  answered(answer: Answer): void {
    if (answer.kind === 'refused') {
      this.#reject(refusalError(answer.refusal));
      return;
    }
    try {
      this.#resolve(this.#present(answer));
    } catch (error) {
      this.#reject(error);
    }
  }

  failed(error: unknown): void {
    this.#reject(error);
  }
}

/** The manager's own command: deadlines, sensors, live actors, detection. No one waits for it, and no outage loses it. */
export class OwnCall implements Call {
  readonly command: Command;
  readonly shape = undefined;
  readonly asked = false;
  readonly #stale: () => boolean;

  /** `stale`: asked just before it is decided; true = there is nothing to do any more. */
  constructor(command: Command, stale: () => boolean = never) {
    this.command = command;
    this.#stale = stale;
  }

  get dropped(): boolean {
    return this.#stale();
  }

  answered(): void {}
  failed(): void {}
}

const never = (): boolean => false;

/** An outage as callers see it: nothing was done. */
export const outage = (code: ErrorCode, message: string, retryAfterMs: number, cause?: unknown): PoolError =>
  new PoolError(code, message, { details: { retryAfterMs }, ...(cause !== undefined && { cause }) });
