import { PoolError } from '../model/errors.ts';

export const closedError = (url: string): PoolError => new PoolError('LOG_UNAVAILABLE', `${url} has been closed`);

/** The log does not hold what was written to it. Nothing is served from there on: a backup or an export must be restored. */
export class DamagedLogError extends Error {
  /** The stream and the first revision that is wrong or missing; or the file, where no event can be named. */
  readonly place: string;

  constructor(place: string, what: string) {
    super(`the log is damaged at ${place}: ${what}`);
    this.name = 'DamagedLogError';
    this.place = place;
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
