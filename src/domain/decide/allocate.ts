import type { CommandOf } from '../../model/commands.ts';
import type { RequestSpec } from '../../model/request.ts';
import { type Amounts, isZero } from '../../model/values/amounts.ts';
import { fits, shortfallOf } from '../placement.ts';
import type { Plan } from '../plan.ts';
import { leastOf } from '../queue/least.ts';
import { Lenders } from '../queue/lenders.ts';
import { admits } from '../queue/queue.ts';
import { quotaCeiling, quotaLack } from '../quota.ts';
import { isNameTaken, type LeaseRecord, type PoolState, type TierState, tierNamed } from '../state.ts';
import type { Answer, DecisionContext } from './answer.ts';
import type { Decision } from './decision.ts';
import { epochOf } from './epoch.ts';
import { grant, grantable, type Settled } from './grant.ts';
import { refuse } from './refuse.ts';

/**
 * validity -> never-fits -> breaker -> tier modes -> quota -> capacity and borrowing -> queue. The form was judged at the door, and
 * the key before all this (`repeated`): a repeat finds its lease though the configuration has changed.
 */
export function allocate(decision: Decision, command: CommandOf<'Allocate'>, context: DecisionContext): Answer {
  const { state } = decision;
  const { request } = command.data;
  const plan = context.planFor(state, request);
  if (plan.errors !== null) {
    const lines = plan.errors.map((error) => `${error.path}: ${error.value} is not allowed; allowed: ${error.allowed}`);
    return refuse(decision, 'INVALID_REQUEST', lines.join('\n'), { errors: plan.errors });
  }
  if (isNameTaken(state, request.id, command.commandId))
    return refuse(decision, 'ID_IN_USE', `${request.id} is the id of a live lease or a waiting request`);
  const ceiling = plan.ceiling ?? quotaCeiling(state, request.owner, leastOf(request));
  if (ceiling !== null)
    return refuse(decision, 'NEVER_FITS', 'the request is larger than can ever be granted', { ceiling });
  if (request.deadline !== null && request.deadline <= decision.at)
    return refuse(decision, 'WAIT_EXPIRED', `the deadline ${request.deadline} has passed`);
  return refusedByBreaker(decision, context) ?? closed(decision, plan) ?? place(decision, command, plan, context);
}

/** What keeps every request out now, whatever it asks for. */
function refusedByBreaker(decision: Decision, { breaker }: DecisionContext): Answer | undefined {
  const admission = breaker.ask(decision.at);
  if (admission.admitted) return undefined;
  breaker.turnAway(decision.at);
  return refuse(decision, 'BREAKER_OPEN', `the circuit breaker is ${breaker.mode}`, {
    retryAfterMs: admission.retryAfterMs,
  });
}

/** What keeps every request of this kind out now: a drain of the pool, the modes of its tiers. */
function closed(decision: Decision, plan: Plan): Answer | undefined {
  const { state } = decision;
  if (state.draining) return refuse(decision, 'DRAINING', 'the pool is draining', { retryAfterMs: 5_000 });
  if (firstOpen(state, plan) !== undefined) return undefined;
  const tier = tierNamed(state, plan.tiers[0]!)!;
  return refuse(decision, 'TIER_CLOSED', `tier ${tier.name} is ${tier.mode.admission}`, {
    tier: tier.name,
    retryAfterMs: 5_000,
  });
}

function place(
  decision: Decision,
  { commandId, data: { request } }: CommandOf<'Allocate'>,
  plan: Plan,
  context: DecisionContext,
): Answer {
  const { state } = decision;
  const settled = settle(decision, request, plan, commandId);
  const granted = grantNow(decision, settled, plan);
  if (granted !== undefined) {
    context.breaker.take(decision.journal, decision.at);
    return { kind: 'granted', lease: granted, replayed: false };
  }
  const home = firstOpen(state, plan)!;
  return request.waitMs > 0 ? queue(decision, home, settled, context) : busy(decision, home, settled);
}

const settle = (decision: Decision, request: RequestSpec, plan: Plan, leaseId: string): Settled => ({
  leaseId,
  request,
  priority: plan.priority,
  type: plan.type,
  ttlMs: plan.ttlMs,
  queuedAt: decision.at,
});

function firstOpen(state: PoolState, plan: Plan): TierState | undefined {
  for (const tier of state.tiers) if (tier.mode.admission === 'open' && plan.tiers.includes(tier.name)) return tier;
  return undefined;
}

/**
 * The lease, of the first of the plan's tiers that has room and owes it to nobody who waits; undefined = none grants it now. That
 * none would have room, were nobody waiting, is kept with the plan for its epoch.
 */
function grantNow(decision: Decision, settled: Settled, plan: Plan): LeaseRecord | undefined {
  const { state } = decision;
  const { request } = settled;
  const epoch = epochOf(state, decision.journal);
  if (plan.lackedIn === epoch) return undefined;
  const least = leastOf(request);
  const mayHold = quotaLack(state, request.owner, least) === null;
  const lenders = new Lenders(state, settled);
  let hasRoom = false;
  for (const name of plan.tiers) {
    const tier = tierNamed(state, name)!;
    if (!admits(tier) || !fits(state, tier, least)) continue;
    hasRoom = true;
    const amounts = mayHold ? grantable(state, tier, settled, lenders) : null;
    if (amounts !== null) return grant(decision, tier, settled, amounts, null);
  }
  if (!hasRoom) plan.lackedIn = epoch;
  return undefined;
}

function queue(decision: Decision, tier: TierState, settled: Settled, context: DecisionContext): Answer {
  const { maxLength, maxWaitMs } = tier.rules.queue;
  const { request, leaseId, priority, type, ttlMs } = settled;
  if (tier.waiting.length >= maxLength) {
    return refuse(
      decision,
      'QUEUE_FULL',
      `${tier.waiting.length} requests wait in tier ${tier.name} already`,
      busyDetails(decision, tier, settled),
    );
  }
  const latest = decision.at + Math.min(request.waitMs, maxWaitMs);
  const expiresAt = request.deadline === null ? latest : Math.min(latest, request.deadline);
  context.breaker.take(decision.journal, decision.at);
  decision.emit('RequestQueued', {
    leaseId,
    request,
    priority,
    type,
    tier: tier.name,
    ttlMs,
    expiresAt,
    writerId: context.writerId,
  });
  return { kind: 'queued', request: decision.state.waiting.get(leaseId)!, replayed: false };
}

function busy(decision: Decision, tier: TierState, settled: Settled): Answer {
  const lack = quotaLack(decision.state, settled.request.owner, leastOf(settled.request));
  if (lack !== null) {
    return refuse(decision, 'QUOTA_EXCEEDED', `owner ${settled.request.owner} has used up its quota`, {
      ...busyDetails(decision, tier, settled),
      shortfall: lack,
    });
  }
  const details = busyDetails(decision, tier, settled);
  return refuse(decision, 'EXHAUSTED', exhausted(tier.name, details), details);
}

const exhausted = (tier: string, { shortfall, position }: { shortfall: Amounts; position: number }): string =>
  isZero(shortfall) && position > 0
    ? `tier ${tier} keeps its room for those who wait: ${position} stand before the request`
    : `tier ${tier} has no room for the request now`;

function busyDetails(decision: Decision, tier: TierState, settled: Settled) {
  return {
    tier: tier.name,
    shortfall: shortfallOf(decision.state, tier, leastOf(settled.request)),
    position: tier.waiting.placeOf(settled),
    retryAfterMs: retryAfterMs(decision),
  };
}

/** Until the first of the leases runs out, within 100 ms and a minute: room may come sooner, and for others. */
const retryAfterMs = ({ state: { leases }, at }: Decision): number =>
  Math.min(60_000, Math.max(100, (leases.byExpiry().first?.expiresAt ?? Number.POSITIVE_INFINITY) - at));
