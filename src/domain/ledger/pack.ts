import { tierMode } from '../../machines/transitions.ts';
import type { ResolvedConfig } from '../../model/config/config.ts';
import type { ReclaimReason } from '../../model/events.ts';
import type { Dimensions } from '../dimensions.ts';
import { keyBytes } from '../evolve/keys.ts';
import { WaitingList } from '../queue/waiting-list.ts';
import { limitsOf, ownersOf } from '../sizing.ts';
import { type Entries, type PlainRest, type PlainTier, serializeRest } from '../snapshot.ts';
import {
  emptyState,
  type KeyRecord,
  type PoolState,
  type Quarantine,
  type TierState,
  type WaitingRecord,
} from '../state.ts';
import { rulesOf } from '../tier-rules.ts';
import { type EndedLease, EndedLeases } from './ended-leases.ts';
import { type LeaseColumns, LeaseColumnsReader, LeaseColumnsWriter } from './lease-columns.ts';
import type { LeaseRecord } from './lease-record.ts';
import { StillLeases } from './still-leases.ts';
import { Tally } from './tally.ts';

/**
 * A part of a state as plain JSON, for snapshots: small, and quick to read. (`canonicalState` is the form that is compared.) The first
 * one is the `rest`; of the others there are as many as the state is large, each so large that it takes about a millisecond.
 */
export type StatePart =
  | { readonly rest: PlainRest }
  | { readonly keys: Entries<KeyRecord> }
  | { readonly quarantine: Entries<Quarantine> }
  | { readonly tier: string; readonly waiting: readonly WaitingRecord[] }
  | { readonly live: LeaseColumns }
  | { readonly ended: EndedColumns };

interface EndedColumns {
  readonly leases: LeaseColumns;
  readonly endedAt: number[];
  readonly reason: (ReclaimReason | null)[];
  readonly revision: number[];
}

/** A waiting request and its key are as large as a client makes them, up to some KiB. */
const PART_RECORDS = 128;

/** Packs a state as it stands when this is made, whatever is folded afterwards: what changes is copied then, the rest written by and by. */
export class StatePacker {
  readonly #rest: PlainRest;
  readonly #waiting: readonly (readonly [tier: string, waiting: readonly WaitingRecord[]])[];
  readonly #keys: [string[], KeyRecord[]];
  readonly #quarantine: [string[], Quarantine[]];
  readonly #live: StillLeases;
  readonly #ended: Generator<EndedLease>;
  readonly #writer = new LeaseColumnsWriter();

  constructor(state: PoolState) {
    const rest = serializeRest(state);
    this.#rest = { ...rest, tiers: rest.tiers.map((tier) => ({ ...tier, waiting: [] })) };
    this.#waiting = state.tiers.map(({ name, waiting }) => [name, [...waiting]]);
    this.#keys = [[...state.keys.keys()], [...state.keys.values()]];
    this.#quarantine = [[...state.quarantine.keys()], [...state.quarantine.values()]];
    this.#live = new StillLeases(state.leases);
    this.#ended = state.ended.copy().values();
  }

  *parts(): Generator<StatePart> {
    yield { rest: this.#rest };
    for (const [tier, waiting] of this.#waiting)
      for (let at = 0; at < waiting.length; at += PART_RECORDS)
        yield { tier, waiting: waiting.slice(at, at + PART_RECORDS) };
    for (const keys of entriesOf(...this.#keys)) yield { keys };
    for (const quarantine of entriesOf(...this.#quarantine)) yield { quarantine };
    yield* this.#liveParts();
    yield* this.#endedParts();
  }

  packed(): StatePart[] {
    return [...this.parts()];
  }

  *#liveParts(): Generator<StatePart> {
    for (let place = 0; place < this.#live.size; place++) {
      this.#writer.add(this.#live.at(place));
      if (this.#writer.isFull) yield { live: this.#writer.take() };
    }
    yield { live: this.#writer.take() };
  }

  *#endedParts(): Generator<StatePart> {
    let endings = noEndings();
    for (const { lease, endedAt, reason, revision } of this.#ended) {
      this.#writer.add(lease);
      endings.endedAt.push(endedAt);
      endings.reason.push(reason);
      endings.revision.push(revision);
      if (!this.#writer.isFull) continue;
      yield { ended: { leases: this.#writer.take(), ...endings } };
      endings = noEndings();
    }
    yield { ended: { leases: this.#writer.take(), ...endings } };
  }
}

const noEndings = (): Omit<EndedColumns, 'leases'> => ({ endedAt: [], reason: [], revision: [] });

function* entriesOf<Value>(keys: readonly string[], values: readonly Value[]): Generator<Entries<Value>> {
  for (let at = 0; at < keys.length; at += PART_RECORDS)
    yield keys.slice(at, at + PART_RECORDS).map((key, i) => [key, values[at + i]!]);
}

/** Makes a state of its own of parts, taken in their order. */
export class StateUnpacker {
  readonly #state: PoolState;
  readonly #reader: LeaseColumnsReader;

  /** `rest`: the first part. */
  constructor(rest: PlainRest) {
    const { endedFirst, endedNext, ...kept } = structuredCopy(rest);
    const blank = emptyState();
    const { numbered } = blank;
    this.#reader = new LeaseColumnsReader(numbered);
    this.#state = {
      ...blank,
      ...kept,
      whole: numbered.dense(kept.allocatable),
      tiers: kept.tiers.map((tier) => restoreTier(tier, numbered, kept.config)),
      allocated: Tally.from(numbered, kept.allocated),
      quarantined: Tally.from(numbered, kept.quarantined),
      breakers: new Map(kept.breakers),
      ended: EndedLeases.beginningAt(endedFirst),
    };
  }

  take(part: StatePart): void {
    const state = this.#state;
    if ('keys' in part) for (const [scope, record] of part.keys) restoreKey(state, scope, record);
    else if ('quarantine' in part) for (const [id, record] of part.quarantine) state.quarantine.set(id, record);
    else if ('waiting' in part) restoreWaiters(state, part.tier, part.waiting);
    else if ('live' in part) for (const lease of this.#reader.read(part.live)) restoreLive(state, lease);
    else if ('ended' in part) this.#takeEnded(part.ended);
  }

  /** The state, once every part is taken. */
  state(): PoolState {
    const state = this.#state;
    for (const record of [...state.waiting.values()].sort((a, b) => a.revision - b.revision))
      state.arrivals.put('came', record, undefined);
    state.owners = ownersOf(state);
    return state;
  }

  #takeEnded({ leases, endedAt, reason, revision }: EndedColumns): void {
    let i = 0;
    for (const lease of this.#reader.read(leases)) {
      this.#state.ended.add(lease, endedAt[i]!, reason[i]!, revision[i]!);
      i += 1;
    }
  }
}

/** A state of its own. */
export function unpackState([first, ...parts]: readonly StatePart[]): PoolState {
  const unpacker = new StateUnpacker((first as { rest: PlainRest }).rest);
  for (const part of parts) unpacker.take(part);
  return unpacker.state();
}

function restoreKey(state: PoolState, scope: string, record: KeyRecord): void {
  state.keys.set(scope, record);
  state.keysBytes += keyBytes(scope, record);
  if (record.n >= 0) state.keysInOrder.set(record.n, scope);
}

function restoreTier(tier: PlainTier, numbered: Dimensions, config: ResolvedConfig): TierState {
  const rules = rulesOf(config, tier.name);
  return {
    ...tier,
    mode: tierMode(tier.mode.admission, tier.mode.load),
    limits: limitsOf(numbered, tier.sizing),
    rules,
    waiting: new WaitingList(rules, numbered),
    allocated: Tally.from(numbered, tier.allocated),
    quarantined: Tally.from(numbered, tier.quarantined),
  };
}

function restoreLive(state: PoolState, lease: LeaseRecord): void {
  state.leases.add(lease);
  state.holdings!.of(lease.owner, state.owners, undefined).add(undefined, lease.terms.demand, 1);
  if (lease.name !== null) state.names.set(lease.name, lease.leaseId);
}

/** One record for all the tiers that may grant it. */
function restoreWaiters(state: PoolState, tierName: string, records: readonly WaitingRecord[]): void {
  const tier = state.tiers.find(({ name }) => name === tierName)!;
  for (const record of records) tier.waiting.put('came', restoreWaiting(state, record), undefined);
}

function restoreWaiting(state: PoolState, record: WaitingRecord): WaitingRecord {
  const known = state.waiting.get(record.leaseId);
  if (known !== undefined) return known;
  state.waiting.set(record.leaseId, record);
  if (record.request.id !== record.leaseId) state.names.set(record.request.id, record.leaseId);
  return record;
}

const structuredCopy = <Plain>(value: Plain): Plain => JSON.parse(JSON.stringify(value)) as Plain;
