import type { RequestSpec } from '../../model/request.ts';
import { type Amounts, amountIn } from '../../model/values/amounts.ts';
import { borrowedPart, nominalLeftIn, roomIn } from '../placement.ts';
import { leastOf } from '../queue/least.ts';
import type { Lenders } from '../queue/lenders.ts';
import { spared, waitersAhead, waitsElsewhere } from '../queue/queue.ts';
import type { WaitingRecord } from '../queue/waiting-record.ts';
import { quotaRoomIn } from '../quota.ts';
import type { LeaseRecord, PoolState, TierState } from '../state.ts';
import type { Decision } from './decision.ts';

/** A request with everything that was settled about it before there was room. */
export type Settled = Omit<WaitingRecord, 'expiresAt' | 'writerId' | 'revision'>;

/** The most that may be taken in one dimension. */
type Limit = (dimension: string) => number;

/**
 * `lenders`: who waits in other tiers beside it. What the tier grants now of a request of which the least fits and is within its owner's quota: all of it, or as much as room, the
 * quota and those who wait leave, down to its minimum; null = nothing, for the sake of those who wait.
 */
export function grantable(state: PoolState, tier: TierState, settled: Settled, lenders: Lenders): Amounts | null {
  const { request } = settled;
  const least = leastOf(request);
  if (state.waiting.size > 0) return besideWaiters(state, tier, settled, least, lenders);
  return request.minimum === null ? request.amounts : most(request, least, roomOf(state, tier, request.owner));
}

/** What is free for the tier and left of the owner's quota. */
const roomOf =
  (state: PoolState, tier: TierState, owner: string): Limit =>
  (dimension) =>
    Math.min(roomIn(state, tier, dimension), quotaRoomIn(state, owner, dimension));

/**
 * While others wait: what those before it in the tier can spare, and above the nominal only what waiting lenders can spare. With
 * a minimum, and someone waiting in another tier, it takes what lies inside the nominal and leaves the rest to the others.
 */
function besideWaiters(
  state: PoolState,
  tier: TierState,
  settled: Settled,
  least: Amounts,
  lenders: Lenders,
): Amounts | null {
  const { request, leaseId } = settled;
  const ahead = waitersAhead(state, tier, settled);
  if (ahead === null) return null;
  const isLastLease = state.leases.size + 1 === state.config.maxPoolSize;
  if (isLastLease && ahead.length > 0) return null;
  const room = roomOf(state, tier, request.owner);
  const own: Limit = (dimension) => Math.min(room(dimension), spared(state, ahead, dimension));
  if (!isWithin(least, own)) return null;
  const inside = most(request, least, (dimension) => Math.min(own(dimension), nominalLeftIn(tier, dimension)));
  if (inside === request.amounts || (inside !== null && waitsElsewhere(state, tier, leaseId))) return inside;
  if (isLastLease && lenders.lendTo(tier)) return inside;
  return most(request, least, (dimension) =>
    Math.min(own(dimension), Math.max(nominalLeftIn(tier, dimension), lenders.spare(tier, dimension))),
  );
}

/** All that is asked for, or with a minimum as much of it as is within the limit; null if the limit does not even hold the least. */
function most({ amounts, minimum }: RequestSpec, least: Amounts, limit: Limit): Amounts | null {
  if (isWithin(amounts, limit)) return amounts;
  if (minimum === null || !isWithin(least, limit)) return null;
  const less: Record<string, number> = {};
  for (const dimension in amounts) less[dimension] = Math.min(amountIn(amounts, dimension), limit(dimension));
  return less;
}

function isWithin(amounts: Amounts, limit: Limit): boolean {
  for (const dimension in amounts) {
    const amount = amountIn(amounts, dimension);
    if (amount > 0 && amount > limit(dimension)) return false;
  }
  return true;
}

export function grant(
  decision: Decision,
  tier: TierState,
  settled: Settled,
  amounts: Amounts,
  waitedMs: number | null,
): LeaseRecord {
  const { leaseId, request, priority, type, ttlMs } = settled;
  decision.emit(
    'LeaseGranted',
    {
      leaseId,
      request,
      priority,
      type,
      tier: tier.name,
      amounts,
      borrowed: borrowedPart(tier, amounts),
      token: decision.state.lastToken + 1,
      ttlMs,
      expiresAt: decision.at + ttlMs,
      waitedMs,
    },
    leaseId,
  );
  return decision.state.leases.withToken(decision.state.lastToken)!;
}
