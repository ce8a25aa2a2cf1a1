import type { RecordedPoolEvent } from '../../model/events.ts';
import type { BoundKey } from '../../model/idempotency.ts';
import type { RequestView } from '../../model/views.ts';
import { addEntry, dropEntry, type Journal, put, putEntry } from '../ledger/journal.ts';
import type { KeyRecord, PoolState } from '../state.ts';
import { ImpossibleHistory } from './impossible.ts';

/** Keys of different owners and verbs have nothing to do with each other. No part of a scope holds a space. */
export const scopeOf = ({ owner, verb, key }: Pick<BoundKey, 'owner' | 'verb' | 'key'>): string =>
  `${owner} ${verb} ${key}`;

/** The most that keys that are kept for a time count in sum, in bytes. */
export const MAX_KEYS_BYTES = 64 * 2 ** 20;
/** About what a key takes beside its texts, and an amount of its answer with its name: in bytes, of V8's heap. */
const KEY_BYTES = 200;
const ANSWER_BYTES = 400;
const AMOUNT_BYTES = 64;
const UNIT_BYTES = 2;

/** What a key that is kept for a time counts, in bytes; one that goes with its lease is counted with that. */
export function keyBytes(scope: string, { n, body, asItStood }: KeyRecord): number {
  if (n < 0) return 0;
  const bytes = KEY_BYTES + (scope.length + body.length) * UNIT_BYTES;
  return asItStood === undefined ? bytes : bytes + answerBytes(asItStood);
}

function answerBytes({ requestId, leaseId, requirements, amounts, shortfall }: RequestView): number {
  let bytes = ANSWER_BYTES + (requestId.length + leaseId.length) * UNIT_BYTES;
  for (const field of [requirements, amounts, shortfall])
    for (const name in field) {
      const value = field[name]!;
      bytes += AMOUNT_BYTES + (name.length + (typeof value === 'string' ? value.length : 0)) * UNIT_BYTES;
    }
  return bytes;
}

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
  const known = state.keys.get(scope);
  const grown = keyBytes(scope, record) - (known === undefined ? 0 : keyBytes(scope, known));
  put(journal, state, 'keysBytes', state.keysBytes + grown);
  putEntry(journal, state.keys, scope, record);
  addEntry(journal, state.keysInOrder, record.n, scope);
  put(journal, state, 'keysNext', record.n + 1);
  const { maxEntries, retentionMs } = state.config.idempotency;
  while (state.keysFirst < state.keysNext) {
    const n = state.keysFirst;
    const oldest = state.keysInOrder.get(n);
    const bound = oldest === undefined ? undefined : state.keys.get(oldest);
    if (bound?.n === n) {
      const isTooMany = state.keysNext - n > maxEntries || state.keysBytes > MAX_KEYS_BYTES;
      if (!isTooMany && record.at - bound.at <= retentionMs) return;
      put(journal, state, 'keysBytes', state.keysBytes - keyBytes(oldest!, bound));
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
