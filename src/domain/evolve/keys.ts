import type { RecordedPoolEvent } from '../../model/events.ts';
import type { BoundKey } from '../../model/idempotency.ts';
import { ImpossibleHistory } from '../impossible.ts';
import { addEntry, dropEntry, type Journal, put, putEntry } from '../journal.ts';
import type { KeyRecord, PoolState } from '../state.ts';

/** Keys of different owners and verbs have nothing to do with each other. No part of a scope holds a space. */
export const scopeOf = ({ owner, verb, key }: Pick<BoundKey, 'owner' | 'verb' | 'key'>): string =>
  `${owner} ${verb} ${key}`;

/** The verb whose keys live as long as the lease that they were granted, and its memory. */
const GRANTS = 'Allocate';

/** Whether a key still answers: as long as its lease or request, and then as long as ended leases do; any other from its binding. */
export function isKept(state: PoolState, { leaseId, n, at }: KeyRecord, now: number): boolean {
  const { retentionMs } = state.config.idempotency;
  if (n >= 0) return now - at <= retentionMs;
  if (leaseId === null || state.waiting.has(leaseId) || state.leases.has(leaseId)) return true;
  const ended = state.ended.get(leaseId);
  return ended !== undefined && now - ended.endedAt <= retentionMs;
}

/** The first event of a command with a key binds it. */
export function bindKey(state: PoolState, event: RecordedPoolEvent, key: BoundKey, journal: Journal | undefined): void {
  const scope = scopeOf(key);
  const leaseId = leaseOf(event);
  if (key.verb !== GRANTS) {
    const record = { leaseId, body: key.body, n: state.keysNext, at: event.at };
    const asItStood = event.type === 'RequestCancelled' ? event.data.asItStood : undefined;
    bindForATime(state, scope, asItStood === undefined ? record : { ...record, asItStood }, journal);
    return;
  }
  const known = state.keys.get(scope);
  if (known !== undefined && isKept(state, known, event.at))
    throw new ImpossibleHistory(event, `the key ${key.key} of ${key.owner} has its lease already: ${known.leaseId}`);
  putEntry(journal, state.keys, scope, { leaseId, body: key.body, n: -1, at: event.at });
}

function leaseOf(event: RecordedPoolEvent): string | null {
  if (event.type === 'LeasesRenewed') return event.data.renewals[0]!.leaseId;
  return 'leaseId' in event.data ? event.data.leaseId : null;
}

function bindForATime(state: PoolState, scope: string, record: KeyRecord, journal: Journal | undefined): void {
  putEntry(journal, state.keys, scope, record);
  addEntry(journal, state.keysInOrder, record.n, scope);
  put(journal, state, 'keysNext', record.n + 1);
  const { maxEntries, retentionMs } = state.config.idempotency;
  while (state.keysFirst < state.keysNext) {
    const n = state.keysFirst;
    const oldest = state.keysInOrder.get(n);
    const bound = oldest === undefined ? undefined : state.keys.get(oldest);
    if (bound?.n === n) {
      if (state.keysNext - n <= maxEntries && record.at - bound.at <= retentionMs) return;
      dropEntry(journal, state.keys, oldest!, bound);
    }
    if (oldest !== undefined) dropEntry(journal, state.keysInOrder, n, oldest);
    put(journal, state, 'keysFirst', n + 1);
  }
}

/** The request or lease that the key was bound to is forgotten: the key may be bound anew, if it has not been. */
export function forgetGrant(
  state: PoolState,
  owner: string,
  key: string | null,
  leaseId: string,
  journal: Journal | undefined,
): void {
  if (key === null) return;
  const scope = scopeOf({ owner, verb: GRANTS, key });
  const bound = state.keys.get(scope);
  if (bound?.leaseId === leaseId) dropEntry(journal, state.keys, scope, bound);
}
