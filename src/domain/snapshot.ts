import { tierMode } from '../machines/transitions.ts';
import type { Amounts } from '../model/amounts.ts';
import { canonicalJson } from '../model/canonical.ts';
import type { EventData, ReclaimReason } from '../model/events.ts';
import type { Dimensions } from './dimensions.ts';
import { type EndedLease, EndedLeases } from './ended-leases.ts';
import { LeaseRecord, type PlainLease } from './lease-record.ts';
import { limitsOf, ownersOf } from './sizing.ts';
import {
  type BreakerRecord,
  emptyState,
  type KeyRecord,
  type PoolState,
  type Quarantine,
  type TierState,
  type WaitingRecord,
} from './state.ts';
import { Tally } from './tally.ts';

/** Of the serialized form; a snapshot of another version is not read. */
export const STATE_SCHEMA_VERSION = 2;

interface PlainEnded {
  readonly lease: PlainLease;
  readonly endedAt: number;
  readonly reason: ReclaimReason | null;
  readonly revision: number;
}

interface PlainTier extends Omit<TierState, 'limits' | 'allocated' | 'quarantined'> {
  readonly allocated: Amounts;
  readonly quarantined: Amounts;
}

type Entries<Value> = readonly (readonly [string, Value])[];

/** A state as plain JSON. What others follow from is written too (names, owners): the form is read by people and hashed. */
type PlainState = Omit<PoolState, keyof Folded> & {
  readonly allocated: Amounts;
  readonly quarantined: Amounts;
  readonly tiers: readonly PlainTier[];
  readonly leases: Entries<PlainLease>;
  readonly names: Entries<string>;
  readonly keys: Entries<KeyRecord>;
  readonly owners: Entries<Amounts>;
  readonly quarantine: Entries<Quarantine>;
  readonly breakers: Entries<BreakerRecord>;
  readonly ended: readonly PlainEnded[];
  readonly endedFirst: number;
  readonly endedNext: number;
};

type Folded = Pick<
  PoolState,
  | 'numbered'
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
  | 'owners'
  | 'quarantine'
  | 'breakers'
  | 'soonestExpiry'
  | 'freed'
>;

/** Plain JSON of a state. Maps become entries in the order of their keys (ended leases: of their ends), so that equal states give equal texts. */
export function serializeState(state: PoolState): unknown {
  const { numbered, whole, terms, waiting, soonestExpiry, freed, ...kept } = state;
  const plain: PlainState = {
    ...kept,
    allocated: state.allocated.toJSON(),
    quarantined: state.quarantined.toJSON(),
    tiers: state.tiers.map(plainTier),
    leases: sorted([...state.leases].map(([id, lease]) => [id, lease.toJSON()])),
    names: sorted(namesOf(state)),
    keys: sorted([...state.keys]),
    owners: sorted([...state.owners].map(([owner, held]) => [owner, held.toJSON()])),
    quarantine: sorted([...state.quarantine]),
    breakers: sorted([...state.breakers]),
    ended: [...state.ended.values()].map((each) => ({ ...each, lease: each.lease.toJSON() })),
    endedFirst: state.ended.first,
    endedNext: state.ended.next,
  };
  return plain;
}

function plainTier({ limits, ...tier }: TierState): PlainTier {
  return { ...tier, allocated: tier.allocated.toJSON(), quarantined: tier.quarantined.toJSON() };
}

const namesOf = (state: PoolState): [string, string][] => [
  ...[...state.leases.values()].map(({ requestId, leaseId }): [string, string] => [requestId, leaseId]),
  ...[...state.waiting.values()].map(({ request, leaseId }): [string, string] => [request.id, leaseId]),
];

const sorted = <Value>(entries: [string, Value][]): Entries<Value> => entries.sort(([a], [b]) => (a < b ? -1 : 1));

/** A state of its own: nothing is shared with what `serializeState` gave. */
export function deserializeState(serialized: unknown): PoolState {
  const plain = structuredCopy(serialized) as PlainState;
  const { leases, names, owners, ended, endedFirst, endedNext, ...kept } = plain;
  const blank = emptyState();
  const { numbered } = blank;
  const state: PoolState = {
    ...blank,
    ...kept,
    whole: numbered.dense(plain.allocatable),
    tiers: plain.tiers.map((tier) => restoreTier(tier, numbered)),
    allocated: Tally.from(numbered, plain.allocated),
    quarantined: Tally.from(numbered, plain.quarantined),
    keys: new Map(plain.keys),
    quarantine: new Map(plain.quarantine),
    breakers: new Map(plain.breakers),
    ended: EndedLeases.from(
      ended.map((each): EndedLease => ({ ...each, lease: restoreLease(each.lease, blank) })),
      endedFirst,
    ),
  };
  for (const [, lease] of leases) restoreLive(state, restoreLease(lease, state));
  for (const { waiting } of state.tiers) for (const record of waiting) restoreWaiting(state, record);
  state.owners = ownersOf(state);
  return state;
}

function restoreTier(tier: PlainTier, numbered: Dimensions): TierState {
  return {
    ...tier,
    mode: tierMode(tier.mode.admission, tier.mode.load),
    limits: limitsOf(numbered, tier.sizing),
    allocated: Tally.from(numbered, tier.allocated),
    quarantined: Tally.from(numbered, tier.quarantined),
  };
}

function restoreLease(plain: PlainLease, { terms, numbered }: PoolState): LeaseRecord {
  const granted: EventData['LeaseGranted'] = { ...plain, waitedMs: null };
  const lease = LeaseRecord.granted(granted, terms.of(granted, numbered), plain.grantedAt, plain.revision);
  lease.noticeEndsAt = plain.noticeEndsAt;
  lease.noticeReason = plain.noticeReason;
  return lease;
}

function restoreLive(state: PoolState, lease: LeaseRecord): void {
  state.leases.set(lease.leaseId, lease);
  if (lease.name !== null) state.names.set(lease.name, lease.leaseId);
}

function restoreWaiting(state: PoolState, record: WaitingRecord): void {
  state.waiting.set(record.leaseId, record);
  if (record.request.id !== record.leaseId) state.names.set(record.request.id, record.leaseId);
}

const structuredCopy = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Canonical JSON of a state (RFC 8785): equal states, equal texts; what a replay's hash is taken of. */
export const canonicalState = (state: PoolState): string => canonicalJson(serializeState(state));
