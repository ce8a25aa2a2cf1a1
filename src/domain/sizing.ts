import type { ResolvedConfig, Share } from '../model/config/config.ts';
import { isPercentage, shareOf } from '../model/config/share.ts';
import type { FieldError } from '../model/errors.ts';
import type { Sizing, TierSizing } from '../model/events.ts';
import type { Amounts } from '../model/values/amounts.ts';
import type { Dimensions } from './dimensions.ts';
import type { Journal } from './ledger/journal.ts';
import { Tally } from './ledger/tally.ts';
import type { PoolState, TierLimits } from './state.ts';

/**
 * What a capacity and a configuration come to: allocatable = capacity - reserve, each tier its share of that. Percentages
 * floor; when all nominals are percentages that make 100 %, what the floors leave over goes to the first tier. Where the nominals
 * come to more than there is (amounts, and a capacity that fell), they are kept in the order of the tiers and the later ones cut.
 */
export function sizePool(config: ResolvedConfig, capacity: Amounts): Sizing {
  const allocatable = allocatableOf(config, capacity);
  const tiers: Record<string, TierSizing> = {};
  const left = { ...allocatable };
  for (const tier of config.tiers) {
    tiers[tier.name] = {
      nominal: takeFrom(left, shareOf(tier.nominal, allocatable)),
      borrowingLimit: limitOf(tier.borrowingLimit, allocatable),
      lendingLimit: limitOf(tier.lendingLimit, allocatable),
    };
  }
  const first = config.tiers[0]!.name;
  if (makesWhole(config)) tiers[first] = { ...tiers[first]!, nominal: withRest(tiers, first, allocatable) };
  return { allocatable, tiers };
}

function allocatableOf({ reserve }: ResolvedConfig, capacity: Amounts): Amounts {
  const kept = shareOf(reserve, capacity);
  const allocatable: Record<string, number> = {};
  for (const dimension in capacity) allocatable[dimension] = Math.max(0, capacity[dimension]! - kept[dimension]!);
  return allocatable;
}

/** As much of the wanted amounts as there is left; `left` is what remains after it. */
function takeFrom(left: Record<string, number>, wanted: Amounts): Amounts {
  const taken: Record<string, number> = {};
  for (const dimension in wanted) {
    taken[dimension] = Math.min(wanted[dimension]!, left[dimension]!);
    left[dimension]! -= taken[dimension];
  }
  return taken;
}

/** The nominals that `sizePool` would have to cut, each with what could stand there. */
export function nominalErrors(config: ResolvedConfig, capacity: Amounts): FieldError[] {
  const errors: FieldError[] = [];
  const allocatable = allocatableOf(config, capacity);
  const left = { ...allocatable };
  for (const [i, { nominal }] of config.tiers.entries()) {
    const wanted = shareOf(nominal, allocatable);
    const got = takeFrom(left, wanted);
    for (const dimension in wanted) {
      if (got[dimension] === wanted[dimension]) continue;
      const allowed = `at most ${got[dimension]} base units, which the tiers before it leave of the ${allocatable[dimension]} that are allocatable`;
      errors.push({ path: `tiers.${i}.nominal.${dimension}`, value: wanted[dimension], allowed });
    }
  }
  return errors;
}

const limitOf = (limit: Share | 0 | null, allocatable: Amounts): Amounts | null =>
  limit === null ? null : shareOf(limit, allocatable);

function makesWhole(config: ResolvedConfig): boolean {
  let sum = 0;
  for (const { nominal } of config.tiers) {
    if (!isPercentage(nominal)) return false;
    sum += Number(nominal.slice(0, -1));
  }
  return Math.abs(sum - 100) < 1e-9;
}

function withRest(tiers: Readonly<Record<string, TierSizing>>, first: string, allocatable: Amounts): Amounts {
  const nominal: Record<string, number> = { ...tiers[first]!.nominal };
  for (const dimension in allocatable) {
    const given = Object.values(tiers).reduce((sum, tier) => sum + tier.nominal[dimension]!, 0);
    nominal[dimension] = nominal[dimension]! + allocatable[dimension]! - given;
  }
  return nominal;
}

/** A tier's sizing by the numbers of the dimensions. */
export function limitsOf(numbered: Dimensions, { nominal, borrowingLimit, lendingLimit }: TierSizing): TierLimits {
  const own = numbered.dense(nominal);
  const borrowing = borrowingLimit === null ? null : numbered.dense(borrowingLimit);
  const lending = lendingLimit === null ? null : numbered.dense(lendingLimit);
  return {
    nominal: own,
    most: own.map((amount, i) => (borrowing === null ? Number.POSITIVE_INFINITY : amount + (borrowing[i] ?? 0))),
    guaranteed: own.map((amount, i) => (lending === null ? 0 : Math.max(0, amount - (lending[i] ?? 0)))),
  };
}

/** What each owner that has a quota holds now: the tally that counts it as leases come and go. In a state of the past it is counted anew. */
export function ownersOf(state: PoolState, journal?: Journal): Map<string, Tally> {
  const owners = new Map<string, Tally>();
  for (const owner of Object.keys(state.config.quotas))
    owners.set(owner, state.holdings?.of(owner, state.owners, journal) ?? new Tally(state.numbered));
  if (state.holdings === null && owners.size > 0)
    for (const { owner, terms } of state.leases.values()) owners.get(owner)?.add(undefined, terms.demand, 1);
  return owners;
}
