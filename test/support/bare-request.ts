import { DEFAULT_OWNER, type RequestSpec } from '../../src/model/request.ts';

/** A request in its normal form that asks for nothing and does not wait, but for `fields`. */
export const bareRequest = (fields: Partial<RequestSpec>): RequestSpec => ({
  id: 'task-1',
  type: null,
  priority: null,
  owner: DEFAULT_OWNER,
  tier: null,
  requirements: {},
  amounts: {},
  minimum: null,
  labels: null,
  ttlMs: null,
  waitMs: 0,
  deadline: null,
  idempotencyKey: null,
  detached: false,
  ...fields,
});
