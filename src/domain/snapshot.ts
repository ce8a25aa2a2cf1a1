import { tierMode } from '../machines/transitions.ts';
import { canonicalJson } from '../model/canonical.ts';
import { type EndedLease, nthEnded, type PoolState, type TierState, type WaitingRecord } from './state.ts';

/** Of the serialized form; a snapshot of another version is not read. */
export const STATE_SCHEMA_VERSION = 2;

type Entries = readonly (readonly [unknown, unknown])[];

const MAPS = ['leases', 'names', 'keys', 'owners', 'quarantine', 'breakers'] as const;

/** Plain JSON of a state. Maps become entries in the order of their keys (ended leases: of their ends), so that equal states give equal texts. */
export function serializeState(state: PoolState): unknown {
  const plain: Record<string, unknown> = { ...state };
  for (const name of MAPS) plain[name] = sorted(state[name] as ReadonlyMap<string | number, unknown>);
  delete plain['waiting']; // the tiers hold the same records
  delete plain['endedRing'];
  delete plain['soonestExpiry'];
  plain['ended'] = [...endedInOrder(state)];
  plain['allocated'] = nonZero(state.allocated);
  plain['quarantined'] = nonZero(state.quarantined);
  plain['owners'] = sorted(state.owners).map(([owner, used]) => [owner, nonZero(used as Record<string, number>)]);
  plain['tiers'] = state.tiers.map((tier) => ({
    ...tier,
    allocated: nonZero(tier.allocated),
    quarantined: nonZero(tier.quarantined),
  }));
  return plain;
}

function* endedInOrder(state: PoolState): Iterable<EndedLease> {
  for (let n = state.endedFirst; n < state.endedNext; n++) yield nthEnded(state, n);
}

function sorted(map: ReadonlyMap<string | number, unknown>): Entries {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** A zero and nothing (which an undo may leave under a name) are the same amount. */
function nonZero(amounts: Readonly<Record<string, number>>): Record<string, number> {
  const kept: Record<string, number> = {};
  for (const dimension in amounts) if (amounts[dimension]) kept[dimension] = amounts[dimension];
  return kept;
}

/** A state of its own: nothing is shared with what `serializeState` gave. */
export function deserializeState(serialized: unknown): PoolState {
  const plain = structuredCopy(serialized) as Record<string, unknown>;
  for (const name of MAPS) plain[name] = new Map(plain[name] as [string, unknown][]);
  const tiers = plain['tiers'] as TierState[];
  for (const tier of tiers) tier.mode = tierMode(tier.mode.admission, tier.mode.load);
  const waiting = new Map<string, WaitingRecord>();
  for (const tier of tiers) for (const record of tier.waiting) waiting.set(record.leaseId, record);
  plain['waiting'] = waiting;
  const ended = plain['ended'] as EndedLease[];
  plain['ended'] = new Map(ended.map((each) => [each.lease.leaseId, each]));
  plain['soonestExpiry'] = null;
  plain['endedRing'] = ringOf(ended, plain['endedFirst'] as number);
  return plain as unknown as PoolState;
}

function ringOf(ended: readonly EndedLease[], first: number): EndedLease[] {
  if (ended.length === 0) return [];
  const ring: EndedLease[] = new Array(2 ** Math.ceil(Math.log2(ended.length)));
  for (const [i, each] of ended.entries()) ring[(first + i) & (ring.length - 1)] = each;
  return ring;
}

const structuredCopy = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Canonical JSON of a state (RFC 8785): equal states, equal texts; what a replay's hash is taken of. */
export const canonicalState = (state: PoolState): string => canonicalJson(serializeState(state));
