import type { Amounts } from '../../model/values/amounts.ts';
import type { Demand } from '../dimensions.ts';
import { lowerBound } from '../lower-bound.ts';
import { quotaLack } from '../quota.ts';
import type { PoolState, TierState, WaitingRecord } from '../state.ts';
import { leastOf } from './least.ts';
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
  readonly demands: readonly Demand[];
  readonly changes: number;
  readonly owners: PoolState['owners'];
  /** Of what is held, where a quota of one of them was looked at; -1 = none was. */
  readonly held: number;
  readonly whole: readonly number[];
}

const kept = new WeakMap<WaitingList, Kept>();

/** Most changes of a pool leave the first waiters of its tiers as they are: then they are not looked at one by one. */
export function frontOf(state: PoolState, tier: TierState): Front {
  const { waiting } = tier;
  const known = kept.get(waiting);
  if (known !== undefined && isCurrent(known, state) && known.changes === waiting.changes) return known;
  const followed = known !== undefined && isCurrent(known, state) ? followedBy(known, state, tier) : undefined;
  const front = followed ?? lookAt(state, tier);
  kept.set(waiting, front);
  waiting.recent = [];
  return front;
}

const isCurrent = ({ owners, held, whole }: Kept, state: PoolState): boolean =>
  owners === state.owners && (held < 0 || (held === state.numbered.changes && whole === state.whole));

function lookAt(state: PoolState, tier: TierState): Kept {
  const waiters: WaitingRecord[] = [];
  const demands: Demand[] = [];
  let asked = false;
  tier.waiting.some((waiter) => {
    const least = leastOf(waiter.request);
    asked ||= state.owners.has(waiter.request.owner);
    if (asked && quotaLack(state, waiter.request.owner, least) !== null) return false;
    demands.push(state.numbered.demand(least));
    return waiters.push(waiter) > LOOKED_AT;
  });
  return keep(state, tier, waiters, demands, asked ? state.numbered.changes : -1);
}

/** The front after the few changes since: undefined = it is to be looked at anew, as a quota plays a part. */
function followedBy(known: Kept, state: PoolState, tier: TierState): Kept | undefined {
  const { recent, changes } = tier.waiting;
  if (known.held >= 0 || known.changes + recent.length !== changes) return undefined;
  const [waiters, demands] = [[...known.waiters], [...known.demands]];
  let isWhole = waiters.length <= LOOKED_AT; // all that wait; else others stand behind the last of them
  for (const { step, record } of recent) {
    if (state.owners.has(record.request.owner)) return undefined;
    const place = beforeIn({ waiters }, tier, record);
    if (place === waiters.length && !isWhole) continue;
    if (step === 'went') {
      waiters.splice(place, 1);
      demands.splice(place, 1);
    } else {
      waiters.splice(place, 0, record);
      demands.splice(place, 0, state.numbered.demand(leastOf(record.request)));
      if (waiters.length <= LOOKED_AT + 1) continue;
      waiters.length = demands.length = LOOKED_AT + 1;
      isWhole = false;
    }
  }
  if (!isWhole && waiters.length <= LOOKED_AT) {
    for (const waiter of tier.waiting.from(waiters.length)) {
      if (state.owners.has(waiter.request.owner)) return undefined;
      demands.push(state.numbered.demand(leastOf(waiter.request)));
      if (waiters.push(waiter) > LOOKED_AT) break;
    }
  }
  return keep(state, tier, waiters, demands, -1);
}

function keep(
  { owners, whole }: PoolState,
  { waiting: { changes } }: TierState,
  waiters: readonly WaitingRecord[],
  demands: readonly Demand[],
  held: number,
): Kept {
  const alike = new Map<Demand, Alike>();
  for (let before = 0; before < waiters.length; before++) {
    const demand = demands[before]!;
    const known = alike.get(demand);
    if (known !== undefined) known.count += 1;
    else {
      const first = waiters[before]!;
      alike.set(demand, { least: leastOf(first.request), demand, first, before, count: 1 });
    }
  }
  return { waiters, demands, alike: [...alike.values()], changes, owners, held, whole };
}

/** How many of the front stand before the request. */
export function beforeIn({ waiters }: Pick<Front, 'waiters'>, { rules }: TierState, request: Ranked): number {
  return lowerBound(waiters.length, (place) => compareBy(rules, waiters[place]!, request) < 0);
}
