import { leaseNamed, type PoolState } from '../domain/state.ts';
import { requestView } from '../domain/views.ts';
import { PoolError } from '../model/errors.ts';
import type { RequestView } from '../model/views.ts';

/** A waiting request by the caller's name for it, or by the id that its lease would have. Throws NOT_FOUND if none waits. */
export function readRequest(state: PoolState, id: string): RequestView {
  const record = state.waiting.get(leaseNamed(state, id) ?? id);
  if (record === undefined) throw new PoolError('NOT_FOUND', `no request ${id} waits`, { details: { requestId: id } });
  return requestView(state, record);
}
