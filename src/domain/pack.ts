import { tierMode } from '../machines/transitions.ts';
import type { ResolvedConfig } from '../model/config.ts';
import type { ReclaimReason } from '../model/events.ts';
import type { Dimensions } from './dimensions.ts';
import { type EndedLease, EndedLeases } from './ended-leases.ts';
import { keyBytes } from './evolve/keys.ts';
import { type LeaseColumns, LeaseColumnsWriter, readLeaseColumns } from './lease-columns.ts';
import type { LeaseRecord } from './lease-record.ts';
import { limitsOf, ownersOf } from './sizing.ts';
import { type PlainRest, type PlainTier, serializeRest } from './snapshot.ts';
import { emptyState, type PoolState, type TierState, type WaitingRecord } from './state.ts';
import { Tally } from './tally.ts';
import { rulesOf } from './tier-rules.ts';

/** A state as plain JSON, for snapshots: small, and quick to read. (`canonicalState` is the form that is compared.) */
export interface PackedState {
  readonly rest: PlainRest;
  readonly live: LeaseColumns;
  readonly ended: EndedColumns;
}

interface EndedColumns {
  readonly leases: LeaseColumns;
  readonly endedAt: number[];
  readonly reason: (ReclaimReason | null)[];
  readonly revision: number[];
}

/**
 * Packs a state as it stands when this is made, whatever is folded afterwards. Ended leases are most of it and never change, so
 * they are packed by and by: `step` until it says false, then `packed`.
 */
export class StatePacker {
  readonly #rest: PlainRest;
  readonly #live = new LeaseColumnsWriter();
  readonly #ended: EndedLeases;
  readonly #endedLeases = new LeaseColumnsWriter();
  readonly #endings = { endedAt: [] as number[], reason: [] as (ReclaimReason | null)[], revision: [] as number[] };
  #next: number;

  constructor(state: PoolState) {
    this.#rest = serializeRest(state);
    for (const lease of state.leases.values()) this.#live.add(lease);
    this.#ended = state.ended.copy();
    this.#next = this.#ended.first;
  }

  /** Packs up to `count` more ended leases; false once none is left. */
  step(count: number): boolean {
    const end = Math.min(this.#next + count, this.#ended.next);
    for (; this.#next < end; this.#next++) this.#add(this.#ended.nth(this.#next));
    return this.#next < this.#ended.next;
  }

  packed(): PackedState {
    while (this.step(Number.MAX_SAFE_INTEGER));
    const ended = { leases: this.#endedLeases.columns, ...this.#endings };
    return { rest: this.#rest, live: this.#live.columns, ended };
  }

  #add({ lease, endedAt, reason, revision }: EndedLease): void {
    this.#endedLeases.add(lease);
    this.#endings.endedAt.push(endedAt);
    this.#endings.reason.push(reason);
    this.#endings.revision.push(revision);
  }
}

/** A state of its own. */
export function unpackState({ rest, live, ended }: PackedState): PoolState {
  const { endedFirst, endedNext, ...kept } = structuredCopy(rest);
  const blank = emptyState();
  const { numbered } = blank;
  const state: PoolState = {
    ...blank,
    ...kept,
    whole: numbered.dense(kept.allocatable),
    tiers: kept.tiers.map((tier) => restoreTier(tier, numbered, kept.config)),
    allocated: Tally.from(numbered, kept.allocated),
    quarantined: Tally.from(numbered, kept.quarantined),
    keys: new Map(kept.keys),
    keysInOrder: new Map(kept.keys.filter(([, { n }]) => n >= 0).map(([scope, { n }]) => [n, scope])),
    keysBytes: kept.keys.reduce((bytes, [scope, record]) => bytes + keyBytes(scope, record), 0),
    quarantine: new Map(kept.quarantine),
    breakers: new Map(kept.breakers),
    ended: EndedLeases.from(endedOf(ended, numbered), endedFirst),
  };
  for (const lease of readLeaseColumns(live, numbered)) restoreLive(state, lease);
  for (const tier of state.tiers) tier.waiting = tier.waiting.map((record) => restoreWaiting(state, record));
  state.owners = ownersOf(state);
  return state;
}

function* endedOf({ leases, endedAt, reason, revision }: EndedColumns, numbered: Dimensions): Generator<EndedLease> {
  let i = 0;
  for (const lease of readLeaseColumns(leases, numbered)) {
    yield { lease, endedAt: endedAt[i]!, reason: reason[i]!, revision: revision[i]! };
    i += 1;
  }
}

function restoreTier(tier: PlainTier, numbered: Dimensions, config: ResolvedConfig): TierState {
  return {
    ...tier,
    mode: tierMode(tier.mode.admission, tier.mode.load),
    limits: limitsOf(numbered, tier.sizing),
    rules: rulesOf(config, tier.name),
    allocated: Tally.from(numbered, tier.allocated),
    quarantined: Tally.from(numbered, tier.quarantined),
  };
}

function restoreLive(state: PoolState, lease: LeaseRecord): void {
  state.leases.add(lease);
  if (lease.name !== null) state.names.set(lease.name, lease.leaseId);
}

/** One record for all the tiers that may grant it. */
function restoreWaiting(state: PoolState, record: WaitingRecord): WaitingRecord {
  const known = state.waiting.get(record.leaseId);
  if (known !== undefined) return known;
  state.waiting.set(record.leaseId, record);
  if (record.request.id !== record.leaseId) state.names.set(record.request.id, record.leaseId);
  return record;
}

const structuredCopy = <Plain>(value: Plain): Plain => JSON.parse(JSON.stringify(value)) as Plain;
