import type { DecisionContext } from './answer.ts';
import { shift } from './decide/tiers.ts';
import { grant, grantable, type Settled } from './grant.ts';
import { borrowedPart } from './placement.ts';
import { isAdmissible } from './queue.ts';
import { loadTrigger, overTrigger } from './sensors.ts';
import { type PoolState, type TierState, type WaitingRecord, waitersInOrder } from './state.ts';
import type { Turn } from './turn.ts';

/** How many waiters are looked at for one that fits. Those that their owner's quota keeps back do not count. */
const BACKFILL_DEPTH = 128;

/** What follows from a command once its own events are folded: waiters that fit are granted, tiers change their modes. */
export function react(turn: Turn, context: DecisionContext): void {
  if (turn.state.waiting.size > 0 && !turn.state.draining) {
    cancelImpossible(turn, context);
    judgeOver(turn);
    wake(turn, context, true);
    wake(turn, context, false);
  }
  for (const tier of turn.state.tiers) {
    if (tier.mode.admission === 'draining' && tier.leases === 0) shift(turn, tier, 'emptied', null);
    const trigger = loadTrigger(turn.state, tier, turn.at);
    if (trigger !== undefined) shift(turn, tier, trigger);
  }
}

/** Before waiters are looked at, as a tier that has just recovered serves its own. */
function judgeOver(turn: Turn): void {
  for (const tier of turn.state.tiers) {
    const trigger = overTrigger(turn.state, tier);
    if (trigger !== undefined) shift(turn, tier, trigger);
  }
}

/** Grants waiters in rank order over all tiers: first those inside their tier's nominal, then those that must borrow. */
function wake(turn: Turn, context: DecisionContext, insideOnly: boolean): void {
  for (
    let next = nextWaiter(turn, context, insideOnly);
    next !== undefined;
    next = nextWaiter(turn, context, insideOnly)
  ) {
    grant(turn, next.tier, next.settled, next.amounts, turn.at - next.queuedAt);
  }
}

function nextWaiter(turn: Turn, context: DecisionContext, insideOnly: boolean) {
  let first: ReturnType<typeof firstIn>;
  for (const tier of turn.state.tiers) {
    const found = firstIn(turn.state, tier, context, insideOnly);
    if (found !== undefined && (first === undefined || found.settled.rank < first.settled.rank)) first = found;
  }
  return first;
}

function firstIn(state: PoolState, tier: TierState, context: DecisionContext, insideOnly: boolean) {
  if (tier.mode.admission !== 'open') return undefined;
  let looked = 0;
  for (const waiter of tier.waiting) {
    if (!isAdmissible(state, waiter)) continue;
    if (looked === BACKFILL_DEPTH) break;
    looked += 1;
    const settled = settledOf(state, waiter, context);
    const amounts = grantable(state, tier, settled);
    if (amounts !== null && (!insideOnly || borrowedPart(tier, amounts) === null))
      return { tier, settled, amounts, queuedAt: waiter.queuedAt };
  }
  return undefined;
}

function settledOf(state: PoolState, waiter: WaitingRecord, context: DecisionContext): Settled {
  const { leaseId, request, priority, type, rank } = waiter;
  return { leaseId, request, priority, type, rank, ttlMs: context.planFor(state, request).ttlMs };
}

/** After a change of capacity or configuration, what can never be granted any more does not wait for it. */
function cancelImpossible(turn: Turn, context: DecisionContext): void {
  const last = turn.events.at(-1);
  if (last?.type !== 'ConfigChanged' && last?.type !== 'CapacityObserved') return;
  for (const { leaseId, request, tier } of waitersInOrder(turn.state)) {
    const plan = context.planFor(turn.state, request);
    if (plan.errors === null && plan.tiers.includes(tier)) continue;
    turn.emit('RequestCancelled', { leaseId, requestId: request.id, reason: 'neverFits' }, leaseId);
  }
}
