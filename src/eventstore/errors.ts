import { PoolError } from '../model/errors.ts';

export const closedError = (url: string): PoolError => new PoolError('LOG_UNAVAILABLE', `${url} has been closed`);

/** A store with a bounded history has let this revision go. Never passed over in silence: a fold of the rest would be wrong. */
export const goneError = (stream: string, revision: number, first: number): PoolError =>
  new PoolError(
    'NOT_FOUND',
    `revision ${revision} of ${stream} is not kept any more; the first that is there is ${first}`,
    {
      details: { revision, first },
    },
  );

/**
 * The log does not hold what was written to it. Nothing is served from there on, and nothing was changed: what is whole can be copied
 * (`poolctl repair`), or a backup or an export restored.
 */
export class DamagedLogError extends Error {
  /** The stream and the first revision that is wrong or missing; or the file, where no event can be named. */
  readonly place: string;
  readonly what: string;

  constructor(place: string, what: string) {
    super(`the log is damaged at ${place}: ${what}`);
    this.name = 'DamagedLogError';
    this.place = place;
    this.what = what;
  }
}

export const damagedAt = (stream: string, revision: number, what: string): DamagedLogError =>
  new DamagedLogError(`${stream}, revision ${revision}`, what);

/** Another program holds sqlite's lock: nothing was written, and it may be tried again soon. */
export class HeldLogError extends PoolError {
  constructor(path: string, cause: unknown) {
    super('LOG_UNAVAILABLE', `another program holds the lock of ${path}: ${(cause as Error).message}`, { cause });
  }
}
