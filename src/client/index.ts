import { type ClientOptions, ResourcePoolClient } from './client.ts';

export { isPoolError, PoolError } from '../model/errors.ts';
export type { PoolReader } from '../model/reading.ts';
export { Priority } from '../model/request.ts';
export { ResourceType } from '../model/values/amounts.ts';
export { type ClientOptions, type EventsOptions, type LeaseRef, ResourcePoolClient } from './client.ts';
export type { ClientLease } from './lease.ts';

/** A client of the service at `url`. Throws TypeError if `url` is none. */
export const createClient = (options: ClientOptions): ResourcePoolClient => new ResourcePoolClient(options);
