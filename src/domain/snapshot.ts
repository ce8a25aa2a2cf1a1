import type { ReclaimReason } from '../model/events.ts';
import type { Amounts } from '../model/values/amounts.ts';
import { canonicalJson } from '../model/values/canonical.ts';
import type { PlainLease } from './ledger/lease-record.ts';
import type { KeyRecord, PoolState, Quarantine, RecordedBreaker, TierState, WaitingRecord } from './state.ts';

/** Of the serialized form; a snapshot of another version is not read. */
export const STATE_SCHEMA_VERSION = 4;

interface PlainEnded {
  readonly lease: PlainLease;
  readonly endedAt: number;
  readonly reason: ReclaimReason | null;
  readonly revision: number;
}

export interface PlainTier extends Omit<TierState, 'limits' | 'rules' | 'allocated' | 'quarantined' | 'waiting'> {
  readonly allocated: Amounts;
  readonly quarantined: Amounts;
  readonly waiting: readonly WaitingRecord[];
}

export type Entries<Value> = readonly (readonly [string, Value])[];

/** A state as plain JSON, but for its leases, what follows from them, and what there may be as many of. */
export type PlainRest = Omit<PoolState, keyof Folded> & {
  readonly allocated: Amounts;
  readonly quarantined: Amounts;
  readonly tiers: readonly PlainTier[];
  readonly breakers: Entries<RecordedBreaker>;
  readonly endedFirst: number;
  readonly endedNext: number;
};

/** What others follow from is written too (names, owners): the form is read by people and hashed. */
type PlainState = PlainRest & {
  readonly keys: Entries<KeyRecord>;
  readonly quarantine: Entries<Quarantine>;
  readonly leases: Entries<PlainLease>;
  readonly names: Entries<string>;
  readonly owners: Entries<Amounts>;
  readonly ended: readonly PlainEnded[];
};

type Folded = Pick<
  PoolState,
  | 'numbered'
  | 'claims'
  | 'whole'
  | 'terms'
  | 'allocated'
  | 'quarantined'
  | 'tiers'
  | 'leases'
  | 'ended'
  | 'waiting'
  | 'names'
  | 'keys'
  | 'arrivals'
  | 'owners'
  | 'holdings'
  | 'quarantine'
  | 'breakers'
  | 'freed'
  | 'keysInOrder'
  | 'keysBytes'
>;

/** Plain JSON of a state. Maps become entries in the order of their keys (ended leases: of their ends), so that equal states give equal texts. */
function serializeState(state: PoolState): PlainState {
  return {
    ...serializeRest(state),
    keys: sorted([...state.keys]),
    quarantine: sorted([...state.quarantine]),
    leases: sorted([...state.leases.values()].map((lease) => [lease.leaseId, lease.toJSON()])),
    names: sorted(namesOf(state)),
    owners: sorted([...state.owners].map(([owner, held]) => [owner, held.toJSON()])),
    ended: [...state.ended.values()].map((each) => ({ ...each, lease: each.lease.toJSON() })),
  };
}

/** All but the leases, what follows from them, keys and quarantine. Later folds change nothing of it. */
export function serializeRest(state: PoolState): PlainRest {
  const {
    numbered,
    claims,
    whole,
    terms,
    waiting,
    arrivals,
    freed,
    keysInOrder,
    keysBytes,
    leases,
    ended,
    names,
    owners,
    holdings,
    ...others
  } = state;
  const { keys, quarantine, ...kept } = others;
  return {
    ...kept,
    allocated: state.allocated.toJSON(),
    quarantined: state.quarantined.toJSON(),
    tiers: state.tiers.map(plainTier),
    breakers: sorted([...state.breakers]),
    endedFirst: ended.first,
    endedNext: ended.next,
  };
}

function plainTier({ limits, rules, ...tier }: TierState): PlainTier {
  const [allocated, quarantined] = [tier.allocated.toJSON(), tier.quarantined.toJSON()];
  return { ...tier, allocated, quarantined, waiting: [...tier.waiting] };
}

const namesOf = (state: PoolState): [string, string][] => [
  ...[...state.leases.values()].map(({ requestId, leaseId }): [string, string] => [requestId, leaseId]),
  ...[...state.waiting.values()].map(({ request, leaseId }): [string, string] => [request.id, leaseId]),
];

const sorted = <Value>(entries: [string, Value][]): Entries<Value> => entries.sort(([a], [b]) => (a < b ? -1 : 1));

/** Canonical JSON of a state (RFC 8785): equal states, equal texts; what a replay's hash is taken of. */
export const canonicalState = (state: PoolState): string => canonicalJson(serializeState(state));
