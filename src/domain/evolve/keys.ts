import { type Journal, putEntry } from '../journal.ts';
import { keyOf, type LeaseRecord, type PoolState } from '../state.ts';

/** Only a grant or a place in the queue binds a key. */
export function bindKey(
  state: PoolState,
  data: { leaseId: string; request: LeaseRecord['request'] },
  journal: Journal | undefined,
): void {
  const { idempotencyKey, owner } = data.request;
  if (idempotencyKey === null) return;
  const key = keyOf(owner, 'allocate', idempotencyKey);
  if (!state.keys.has(key)) putEntry(journal, state.keys, key, { leaseId: data.leaseId });
}
