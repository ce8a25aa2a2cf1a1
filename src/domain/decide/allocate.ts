import { type Amounts, isZero } from '../../model/amounts.ts';
import type { CommandOf } from '../../model/commands.ts';
import type { RequestSpec } from '../../model/request.ts';
import type { Answer, DecisionContext } from '../answer.ts';
import { epochOf } from '../epoch.ts';
import { soonestExpiry } from '../evolve/expiry.ts';
import { grant, grantable, type Settled } from '../grant.ts';
import { fits, shortfallOf } from '../placement.ts';
import type { Plan } from '../plan.ts';
import { leastOf } from '../plan.ts';
import { admits, rankOf } from '../queue.ts';
import { quotaCeiling, quotaLack } from '../quota.ts';
import { refuse } from '../refuse.ts';
import { leaseNamed, type PoolState, type TierState, tierNamed } from '../state.ts';
import type { Turn } from '../turn.ts';

/**
 * validity -> never-fits -> breaker -> tier modes -> quota -> capacity and borrowing -> queue. The form was judged at the door, and
 * the key before all this (`repeated`): a repeat finds its lease though the configuration has changed.
 */
export function allocate(turn: Turn, command: CommandOf<'Allocate'>, context: DecisionContext): Answer {
  const { state } = turn;
  const { request } = command.data;
  const plan = context.planFor(state, request);
  if (plan.errors !== null) {
    const lines = plan.errors.map((error) => `${error.path}: ${error.value} is not allowed; allowed: ${error.allowed}`);
    return refuse(turn, 'INVALID_REQUEST', lines.join('\n'), { errors: plan.errors });
  }
  if (leaseNamed(state, request.id) !== undefined)
    return refuse(turn, 'ID_IN_USE', `${request.id} is the id of a live lease or a waiting request`);
  const ceiling = plan.ceiling ?? quotaCeiling(state, request.owner, leastOf(request));
  if (ceiling !== null)
    return refuse(turn, 'NEVER_FITS', 'the request is larger than can ever be granted', { ceiling });
  if (request.deadline !== null && request.deadline <= turn.at)
    return refuse(turn, 'WAIT_EXPIRED', `the deadline ${request.deadline} has passed`);
  return refusedByBreaker(turn, context) ?? closed(turn, plan) ?? place(turn, command, plan, context);
}

/** What keeps every request out now, whatever it asks for. */
function refusedByBreaker(turn: Turn, { breaker }: DecisionContext): Answer | undefined {
  const admission = breaker.ask(turn.at);
  if (admission.admitted) return undefined;
  return refuse(turn, 'BREAKER_OPEN', `the circuit breaker is ${breaker.mode}`, {
    retryAfterMs: admission.retryAfterMs,
  });
}

/** What keeps every request of this kind out now: a drain of the pool, the modes of its tiers. */
function closed(turn: Turn, plan: Plan): Answer | undefined {
  const { state } = turn;
  if (state.draining) return refuse(turn, 'DRAINING', 'the pool is draining', { retryAfterMs: 5_000 });
  if (firstOpen(state, plan) !== undefined) return undefined;
  const tier = tierNamed(state, plan.tiers[0]!)!;
  return refuse(turn, 'TIER_CLOSED', `tier ${tier.name} is ${tier.mode.admission}`, {
    tier: tier.name,
    retryAfterMs: 5_000,
  });
}

function place(
  turn: Turn,
  { commandId, data: { request } }: CommandOf<'Allocate'>,
  plan: Plan,
  context: DecisionContext,
): Answer {
  const { state } = turn;
  const settle = (tier: TierState): Settled => ({
    leaseId: commandId,
    request,
    priority: plan.priority,
    type: plan.type,
    ttlMs: plan.ttlMs,
    rank: rankOf(turn.at, plan.weight, queueOf(state, tier.name).ageingMs),
  });
  const home = firstOpen(state, plan)!;
  for (const tier of tiersWithRoom(turn, request, plan)) {
    const settled = settle(tier);
    const amounts = grantable(state, tier, settled);
    if (amounts === null) continue;
    context.breaker.take(turn.journal);
    return { kind: 'granted', lease: grant(turn, tier, settled, amounts, null), replayed: false };
  }
  return request.waitMs > 0 ? queue(turn, home, settle(home), context) : busy(turn, home, settle(home));
}

const firstOpen = (state: PoolState, plan: Plan): TierState | undefined =>
  state.tiers.find((tier) => tier.mode.admission === 'open' && plan.tiers.includes(tier.name));

/** The plan's tiers that could grant the request now, were nobody waiting. That none has room is kept with the plan for its epoch. */
function tiersWithRoom({ state, journal }: Turn, request: RequestSpec, plan: Plan): readonly TierState[] {
  const epoch = epochOf(state, journal);
  if (plan.lackedIn === epoch) return [];
  const least = leastOf(request);
  const tiers: TierState[] = [];
  for (const name of plan.tiers) {
    const tier = tierNamed(state, name)!;
    if (admits(tier) && fits(state, tier, least)) tiers.push(tier);
  }
  if (tiers.length === 0) plan.lackedIn = epoch;
  return quotaLack(state, request.owner, least) === null ? tiers : [];
}

export const queueOf = (state: PoolState, tier: string) => state.config.tiers.find(({ name }) => name === tier)!.queue;

function queue(turn: Turn, tier: TierState, settled: Settled, context: DecisionContext): Answer {
  const { maxLength, maxWaitMs } = queueOf(turn.state, tier.name);
  const { request, leaseId, priority, type, rank, ttlMs } = settled;
  if (tier.waiting.length >= maxLength) {
    return refuse(
      turn,
      'QUEUE_FULL',
      `${tier.waiting.length} requests wait in tier ${tier.name} already`,
      busyDetails(turn, tier, settled),
    );
  }
  const latest = turn.at + Math.min(request.waitMs, maxWaitMs);
  const expiresAt = request.deadline === null ? latest : Math.min(latest, request.deadline);
  context.breaker.take(turn.journal);
  turn.emit('RequestQueued', {
    leaseId,
    request,
    priority,
    type,
    tier: tier.name,
    rank,
    ttlMs,
    expiresAt,
    writerId: context.writerId,
  });
  return { kind: 'queued', request: turn.state.waiting.get(leaseId)!, replayed: false };
}

function busy(turn: Turn, tier: TierState, settled: Settled): Answer {
  const lack = quotaLack(turn.state, settled.request.owner, leastOf(settled.request));
  if (lack !== null) {
    return refuse(turn, 'QUOTA_EXCEEDED', `owner ${settled.request.owner} has used up its quota`, {
      ...busyDetails(turn, tier, settled),
      shortfall: lack,
    });
  }
  const details = busyDetails(turn, tier, settled);
  return refuse(turn, 'EXHAUSTED', exhausted(tier.name, details), details);
}

const exhausted = (tier: string, { shortfall, position }: { shortfall: Amounts; position: number }): string =>
  isZero(shortfall) && position > 0
    ? `tier ${tier} keeps its room for those who wait: ${position} stand before the request`
    : `tier ${tier} has no room for the request now`;

function busyDetails(turn: Turn, tier: TierState, settled: Settled) {
  return {
    tier: tier.name,
    shortfall: shortfallOf(turn.state, tier, leastOf(settled.request)),
    position: tier.waiting.filter((waiter) => waiter.rank <= settled.rank).length,
    retryAfterMs: retryAfterMs(turn),
  };
}

/** Until the first of the leases runs out, within 100 ms and a minute: room may come sooner, and for others. */
const retryAfterMs = ({ state, journal, at }: Turn): number =>
  Math.min(60_000, Math.max(100, soonestExpiry(state, journal) - at));
