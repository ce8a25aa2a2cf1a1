import { PoolError } from '../model/errors.ts';

export const closedError = (url: string): PoolError => new PoolError('LOG_UNAVAILABLE', `${url} has been closed`);

/** The log does not hold what was written to it. Nothing is served from there on: a backup or an export must be restored. */
export class DamagedLogError extends Error {
  readonly stream: string;
  /** Of the first event that is wrong or missing. */
  readonly revision: number;

  constructor(stream: string, revision: number, what: string) {
    super(`the log is damaged at ${stream}, revision ${revision}: ${what}`);
    this.name = 'DamagedLogError';
    this.stream = stream;
    this.revision = revision;
  }
}
