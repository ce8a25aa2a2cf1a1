import type { Amounts } from '../model/amounts.ts';
import type { Demand } from './dimensions.ts';
import { leastOf } from './least.ts';
import { quotaLack } from './quota.ts';
import type { PoolState, TierState, WaitingRecord } from './state.ts';
import { compareBy, type Ranked, type WaitingList } from './waiting-list.ts';

/** So many waiters of a tier are looked at; those that their owner's quota keeps back do not count. Nobody passes more. */
export const LOOKED_AT = 128;

/** Those of a tier's first waiters that want the same at least. */
export interface Alike {
  readonly least: Amounts;
  readonly demand: Demand;
  readonly first: WaitingRecord;
  /** How many of the front stand before the first. */
  readonly before: number;
  count: number;
}

/** A tier's first waiters but for those that their owner's quota keeps back: those that are looked at and one more. */
export interface Front {
  readonly waiters: readonly WaitingRecord[];
  /** In the order of their first ones. */
  readonly alike: readonly Alike[];
}

/** What a front was made of: as long as it stands, so does the front. */
interface Kept extends Front {
  readonly changes: number;
  readonly owners: PoolState['owners'];
  /** Of what is held, where a quota of one of them was looked at; -1 = none was. */
  readonly held: number;
  readonly whole: readonly number[];
}

const kept = new WeakMap<WaitingList, Kept>();

/** Most changes of a pool leave the first waiters of its tiers as they are: then they are not looked at one by one. */
export function frontOf(state: PoolState, tier: TierState): Front {
  const known = kept.get(tier.waiting);
  if (known !== undefined && isCurrent(known, state, tier)) return known;
  const front = lookAt(state, tier);
  kept.set(tier.waiting, front);
  return front;
}

const isCurrent = ({ changes, owners, held, whole }: Kept, state: PoolState, tier: TierState): boolean =>
  changes === tier.waiting.changes &&
  owners === state.owners &&
  (held < 0 || (held === state.numbered.changes && whole === state.whole));

function lookAt(state: PoolState, tier: TierState): Kept {
  const waiters: WaitingRecord[] = [];
  const alike = new Map<Demand, Alike>();
  let asked = false;
  tier.waiting.some((waiter) => {
    const least = leastOf(waiter.request);
    asked ||= state.owners.has(waiter.request.owner);
    if (asked && quotaLack(state, waiter.request.owner, least) !== null) return false;
    const demand = state.numbered.demand(least);
    const known = alike.get(demand);
    if (known === undefined) alike.set(demand, { least, demand, first: waiter, before: waiters.length, count: 1 });
    else known.count += 1;
    return waiters.push(waiter) > LOOKED_AT;
  });
  const { owners, whole, numbered } = state;
  const held = asked ? numbered.changes : -1;
  return { waiters, alike: [...alike.values()], changes: tier.waiting.changes, owners, held, whole };
}

/** How many of the front stand before the request. */
export function beforeIn({ waiters }: Front, { rules }: TierState, request: Ranked): number {
  let low = 0;
  let high = waiters.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBy(rules, waiters[middle]!, request) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
