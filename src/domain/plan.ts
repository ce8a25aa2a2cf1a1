import type { FieldError } from '../model/errors.ts';
import type { RequestSpec } from '../model/request.ts';
import { type Amounts, amountIn } from '../model/values/amounts.ts';
import { ceilingIn } from './placement.ts';
import { leastOf } from './queue/least.ts';
import { type PoolState, type TierState, tierNamed, type WaitingRecord } from './state.ts';

/**
 * What a request's shape comes to under one configuration and capacity: everything that does not depend on what is held
 * now. Equal shapes have equal plans, so a plan may be kept until the configuration or the capacity changes.
 */
export interface Plan {
  readonly errors: readonly FieldError[] | null;
  readonly priority: string;
  readonly type: string;
  readonly ttlMs: number;
  /** Tiers that could ever grant it, in the order they are tried. */
  readonly tiers: readonly string[];
  /** Set if no tier ever could: the most that the best one could grant. */
  readonly ceiling: Amounts | null;
  /** The last epoch (epoch.ts) in which no tier that admits had room for the least of it; -1 = none. The plan's one variable. */
  lackedIn: number;
}

export const DEFAULT_PRIORITY = 'normal';

export function compilePlan(state: PoolState, request: RequestSpec): Plan {
  const errors: FieldError[] = [];
  const priority = request.priority ?? defaultPriority(state);
  if (!Object.hasOwn(state.config.priorities, priority))
    errors.push({ path: 'priority', value: priority, allowed: Object.keys(state.config.priorities).join(', ') });
  if (request.tier !== null && tierNamed(state, request.tier) === undefined) {
    errors.push({ path: 'tier', value: request.tier, allowed: state.tiers.map((tier) => tier.name).join(', ') });
  }
  const { minTtlMs, maxTtlMs } = state.config.leases;
  const ttlMs = request.ttlMs ?? state.config.resourceTimeoutMs;
  if (ttlMs < minTtlMs || ttlMs > maxTtlMs)
    errors.push({ path: 'ttlMs', value: ttlMs, allowed: `${minTtlMs} to ${maxTtlMs}` });
  const least = request.minimum === null ? request.amounts : leastOf(request);
  const candidates = errors.length > 0 ? [] : state.tiers.filter((tier) => isCandidate(tier, request.tier, priority));
  const possible = candidates.filter((tier) => everFits(state, tier, least));
  return {
    errors: errors.length > 0 ? errors : null,
    priority,
    type: request.type ?? mainType(state, request.amounts),
    ttlMs,
    tiers: possible.map((tier) => tier.name),
    ceiling: errors.length === 0 && possible.length === 0 ? ceilingOf(state, candidates[0]!, least) : null,
    lackedIn: -1,
  };
}

const defaultPriority = (state: PoolState): string =>
  Object.hasOwn(state.config.priorities, DEFAULT_PRIORITY)
    ? DEFAULT_PRIORITY
    : Object.keys(state.config.priorities)[0]!;

/** By the configuration alone: the tier that is asked for, or those that serve the class. */
const isCandidate = ({ name, rules }: TierState, asked: string | null, priority: string): boolean =>
  asked === null ? rules.serves.has(priority) : asked === name;

/** Whether the tier could ever grant what waits. */
export const couldGrant = (state: PoolState, tier: TierState, { request, priority }: WaitingRecord): boolean =>
  isCandidate(tier, request.tier, priority) && everFits(state, tier, leastOf(request));

function everFits(state: PoolState, tier: TierState, amounts: Amounts): boolean {
  if (state.config.maxPoolSize === 0) return false;
  for (const dimension in amounts) {
    if (amountIn(amounts, dimension) > 0 && amountIn(amounts, dimension) > ceilingIn(state, tier, dimension))
      return false;
  }
  return true;
}

function ceilingOf(state: PoolState, tier: TierState, amounts: Amounts): Amounts {
  const ceiling: Record<string, number> = {};
  for (const dimension in amounts)
    ceiling[dimension] = state.config.maxPoolSize === 0 ? 0 : ceilingIn(state, tier, dimension);
  return ceiling;
}

/** The dimension of which the request takes the largest share of what is allocatable. */
function mainType(state: PoolState, amounts: Amounts): string {
  let main = '';
  let largest = -1;
  for (const dimension in amounts) {
    const share = amountIn(amounts, dimension) / Math.max(1, amountIn(state.allocatable, dimension));
    if (share > largest) {
      largest = share;
      main = dimension;
    }
  }
  return main;
}
