import { type Amounts, amountIn } from '../model/amounts.ts';
import type { RequestSpec } from '../model/request.ts';
import { borrowedPart, fits, roomIn } from './placement.ts';
import { leastOf } from './plan.ts';
import { admits, mayPass } from './queue.ts';
import { quotaLack, quotaRoomIn } from './quota.ts';
import type { LeaseRecord, PoolState, TierState } from './state.ts';
import type { Turn } from './turn.ts';

/** A request with everything that was settled about it before there was room. */
export interface Settled {
  readonly leaseId: string;
  readonly request: RequestSpec;
  readonly priority: string;
  readonly type: string;
  readonly ttlMs: number;
  readonly rank: number;
}

/**
 * What the tier can grant now of a request: all of it, or as much as room and the owner's quota leave, down to its
 * minimum; null = nothing.
 */
export function grantable(state: PoolState, tier: TierState, settled: Settled): Amounts | null {
  if (!admits(tier)) return null;
  const amounts = amountsNow(state, tier, settled.request);
  return amounts !== null && mayPass(state, tier, settled.leaseId, settled.rank, amounts) ? amounts : null;
}

function amountsNow(state: PoolState, tier: TierState, request: RequestSpec): Amounts | null {
  const { owner, minimum, amounts } = request;
  if (fits(state, tier, amounts) && quotaLack(state, owner, amounts) === null) return amounts;
  if (minimum === null) return null;
  const least = leastOf(request);
  if (!fits(state, tier, least) || quotaLack(state, owner, least) !== null) return null;
  const less: Record<string, number> = {};
  for (const dimension in amounts) {
    const room = Math.min(roomIn(state, tier, dimension), quotaRoomIn(state, owner, dimension));
    less[dimension] = Math.min(amountIn(amounts, dimension), room);
  }
  return less;
}

export function grant(
  turn: Turn,
  tier: TierState,
  settled: Settled,
  amounts: Amounts,
  waitedMs: number | null,
): LeaseRecord {
  const { leaseId, request, priority, type, ttlMs } = settled;
  turn.emit(
    'LeaseGranted',
    {
      leaseId,
      request,
      priority,
      type,
      tier: tier.name,
      amounts,
      borrowed: borrowedPart(tier, amounts),
      token: turn.state.lastToken + 1,
      ttlMs,
      expiresAt: turn.at + ttlMs,
      waitedMs,
    },
    leaseId,
  );
  return turn.state.leases.get(leaseId)!;
}
