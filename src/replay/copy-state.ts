import { EndedLeases } from '../domain/ledger/ended-leases.ts';
import { LiveLeases } from '../domain/ledger/live-leases.ts';
import { StatePacker, type StatePart, StateUnpacker } from '../domain/ledger/pack.ts';
import { Claims } from '../domain/queue/claims.ts';
import type { PlainRest } from '../domain/snapshot.ts';
import type { KeyRecord, LeaseRecord, PoolState, TierState } from '../domain/state.ts';

/** What is live at a moment, kept: leases as a list, so that thousands of such moments that share their records take little room. */
export interface Frame {
  readonly revision: number;
  readonly at: number;
  readonly leases: readonly LeaseRecord[];
  /** Without leases. */
  readonly rest: PoolState;
}

const NO_LEASES = new LiveLeases();

/**
 * What is live now: leases, waiting requests, tiers, modes, quarantines, counters. Ended leases, keys and names in use are left
 * out: they are most of a state's size and nothing that a pool's view shows, and the fold goes on without them. Leases are
 * shared with the state, which copies those that it changes from now on; what else the fold changes in place is copied here.
 */
export function frameOf(state: PoolState): Frame {
  const { revision, at, leases } = state;
  return { revision, at, leases: leases.share(revision), rest: copyRest(state, NO_LEASES) };
}

/** Leases are many: so many are put into a state in one step. */
const LEASES_IN_A_STEP = 512;

/** A state to be folded on, made in steps. */
export function* stateFrom({ revision, leases, rest }: Frame): Generator<undefined, PoolState> {
  const live = new LiveLeases();
  for (let at = 0; at < leases.length; at += LEASES_IN_A_STEP) {
    live.shareIn(leases.slice(at, at + LEASES_IN_A_STEP), revision);
    yield;
  }
  return copyRest(rest, live);
}

/** The whole state, made in steps; as it was when this was called. */
export function wholeCopy(state: PoolState): Generator<undefined, PoolState> {
  return unpacked(new StatePacker(state).parts());
}

function* unpacked(parts: Iterator<StatePart>): Generator<undefined, PoolState> {
  const unpacker = new StateUnpacker((parts.next().value as { rest: PlainRest }).rest);
  for (let part = parts.next(); part.done !== true; part = parts.next()) {
    unpacker.take(part.value);
    yield;
  }
  return unpacker.state();
}

/** The same state, to be folded on, without what no view of the pool shows; it is not to be used otherwise any more. */
export const withoutPast = (state: PoolState): PoolState => ({ ...state, ...noPast(state) });

/** Ended leases, and names and keys in use. */
const noPast = ({ ended, keysNext }: PoolState) => ({
  ended: EndedLeases.beginningAt(ended.next),
  names: new Map<string, string>(),
  keys: new Map<string, KeyRecord>(),
  keysInOrder: new Map<number, string>(),
  keysFirst: keysNext,
  keysBytes: 0,
});

function copyRest(state: PoolState, leases: LiveLeases): PoolState {
  return {
    ...state,
    claims: new Claims(),
    tiers: state.tiers.map(copyTier),
    allocated: state.allocated.copy(),
    quarantined: state.quarantined.copy(),
    leases,
    ...noPast(state),
    waiting: new Map(state.waiting),
    arrivals: state.arrivals.copy(),
    holdings: null,
    owners: copyValues(state.owners, (held) => held.copy()),
    quarantine: new Map(state.quarantine),
    breakers: new Map(state.breakers),
  };
}

const REFERENCE_BYTES = 8;
/** With its id and name. */
const RECORD_BYTES = 300;
/** Of an entry of a map, and what it holds that is not shared. */
const ENTRY_BYTES = 100;

/** About how much room a frame takes beside the one before it, whose leases it shares. */
export function bytesOf({ leases, rest: { waiting, owners, quarantine } }: Frame, before: Frame | undefined): number {
  const known = before?.revision ?? -1;
  let bytes = leases.length * REFERENCE_BYTES + (waiting.size + owners.size + quarantine.size) * ENTRY_BYTES;
  for (const { revision, terms } of leases)
    if (revision > known) bytes += RECORD_BYTES + (terms.request.labels === null ? 0 : terms.bytes);
  return bytes;
}

const copyTier = (tier: TierState): TierState => ({
  ...tier,
  allocated: tier.allocated.copy(),
  quarantined: tier.quarantined.copy(),
  waiting: tier.waiting.copy(),
});

function copyValues<Value>(map: ReadonlyMap<string, Value>, copy: (value: Value) => Value): Map<string, Value> {
  const copied = new Map<string, Value>();
  for (const [key, value] of map) copied.set(key, copy(value));
  return copied;
}
