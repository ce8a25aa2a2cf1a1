import { PoolError } from '../model/errors.ts';

export const closedError = (url: string): PoolError => new PoolError('LOG_UNAVAILABLE', `${url} has been closed`);
