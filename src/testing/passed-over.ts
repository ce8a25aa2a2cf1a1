import type { PoolState, TierState, WaitingRecord } from '../domain/state.ts';
import { isPercentage, percentOf } from '../model/config/share.ts';
import type { EventData } from '../model/events.ts';
import type { Amounts } from '../model/values/amounts.ts';
import { parseAmount } from '../model/values/units.ts';

/**
 * Who is passed by a grant though it was its turn: waiters of the same tier with a higher effective priority that are admissible
 * and fit, in the state before the grant. Written from the rule alone: it shares no code with the decisions.
 */
export function passedOver(before: PoolState, grant: EventData['LeaseGranted'], at: number): string[] {
  const tier = before.tiers.find(({ name }) => name === grant.tier);
  if (tier === undefined || tier.mode.admission !== 'open' || tier.mode.load === 'overcommitted')
    return [`${grant.leaseId} is granted in a tier that admits nothing`];
  const { priority } = grant;
  const own = rankOf(before, tier, { priority, queuedAt: before.waiting.get(grant.leaseId)?.queuedAt ?? at });
  const passed = [...tier.waiting]
    .filter((waiter) => waiter.leaseId !== grant.leaseId && rankOf(before, tier, waiter) < own)
    .filter((waiter) => hasRoom(before, tier, waiter) && hasQuota(before, waiter))
    .map((waiter) => `${grant.request.id} is granted past ${waiter.request.id}, which fits`);
  return [...passed, ...outranked(before, tier, grant)];
}

/** Who waits in another tier inside its nominal, and could start later for what this grant borrows. */
function outranked(before: PoolState, borrower: TierState, grant: EventData['LeaseGranted']): string[] {
  const borrowed = Object.keys(grant.borrowed ?? {});
  return before.tiers
    .filter((tier) => tier !== borrower && tier.mode.admission === 'open' && tier.mode.load !== 'overcommitted')
    .flatMap((tier) => [...tier.waiting].map((waiter) => ({ tier, waiter, least: leastOf(waiter) })))
    .filter(({ waiter }) => waiter.leaseId !== grant.leaseId)
    .filter(({ tier, waiter, least }) => isInside(tier, least) && hasQuota(before, waiter))
    .filter(({ tier, least }) =>
      borrowed.some((dimension) => {
        const wanted = least[dimension] ?? 0;
        return wanted > 0 && room(before, tier, dimension) - (grant.amounts[dimension] ?? 0) < wanted;
      }),
    )
    .map(({ waiter }) => `${grant.request.id} borrows what ${waiter.request.id} waits for inside its nominal`);
}

/**
 * Who waits though nothing stands against a grant: first of its tier, which admits, with room inside the nominal; or though a drain has
 * sent all away. To be asked after a command is decided: whatever lets a waiter in must have let it in.
 */
export function leftWaiting(state: PoolState): string[] {
  const wrong: string[] = [];
  for (const waiter of state.waiting.values()) {
    const tiers = state.tiers.filter(({ waiting }) => waiting.includes(waiter));
    if (state.draining || tiers.every(({ mode }) => mode.admission === 'draining' || mode.admission === 'drained'))
      wrong.push(`${waiter.request.id} waits though all drains that could grant it`);
  }
  for (const tier of state.tiers) {
    const { admission, load } = tier.mode;
    if (admission !== 'open' || load === 'overcommitted') continue;
    const first = [...tier.waiting].find((waiter) => hasQuota(state, waiter));
    if (first === undefined || !hasRoom(state, tier, first) || !isInside(tier, leastOf(first))) continue;
    wrong.push(`${first.request.id} waits in tier ${tier.name} and could be granted`);
  }
  return wrong;
}

const isInside = (tier: TierState, amounts: Amounts): boolean =>
  Object.entries(amounts).every(
    ([dimension, amount]) =>
      amount === 0 ||
      tier.allocated.of(dimension) + tier.quarantined.of(dimension) + amount <= (tier.sizing.nominal[dimension] ?? 0),
  );

/** In that tier: the moment of queueing less weight x its ageing. */
function rankOf(
  { config }: PoolState,
  tier: TierState,
  { priority, queuedAt }: Pick<WaitingRecord, 'priority' | 'queuedAt'>,
): number {
  const { ageingMs } = config.tiers.find(({ name }) => name === tier.name)!.queue;
  return queuedAt - (config.priorities[priority] ?? 0) * ageingMs;
}

const leastOf = ({ request: { amounts, minimum } }: WaitingRecord): Amounts => ({ ...amounts, ...minimum });

const hasRoom = (state: PoolState, tier: TierState, waiter: WaitingRecord): boolean =>
  state.leases.size < state.config.maxPoolSize &&
  Object.entries(leastOf(waiter)).every(([dimension, least]) => least === 0 || least <= room(state, tier, dimension));

/** Free of the pool, less what other tiers keep for themselves, and no more than the tier may borrow. */
function room(state: PoolState, tier: TierState, dimension: string): number {
  const taken = (of: TierState) => of.allocated.of(dimension) + of.quarantined.of(dimension);
  const { nominal, borrowingLimit } = tier.sizing;
  let free = (state.allocatable[dimension] ?? 0) - taken(tier);
  for (const other of state.tiers) if (other !== tier) free -= Math.max(taken(other), kept(other, dimension));
  if (borrowingLimit === null) return free;
  return Math.min(free, (nominal[dimension] ?? 0) + (borrowingLimit[dimension] ?? 0) - taken(tier));
}

const kept = ({ sizing: { nominal, lendingLimit } }: TierState, dimension: string): number =>
  lendingLimit === null ? 0 : (nominal[dimension] ?? 0) - (lendingLimit[dimension] ?? 0);

function hasQuota(state: PoolState, waiter: WaitingRecord): boolean {
  const { owner } = waiter.request;
  const held = [...state.leases.values()].filter((lease) => lease.request.owner === owner);
  return Object.entries(state.config.quotas[owner] ?? {}).every(([dimension, written]) => {
    const limit = isPercentage(written)
      ? percentOf(written, state.allocatable[dimension] ?? 0)
      : parseAmount(dimension, written)!;
    const wanted = leastOf(waiter)[dimension] ?? 0;
    const sum = held.reduce((total, lease) => total + (lease.amounts[dimension] ?? 0), wanted);
    return wanted === 0 || sum <= limit;
  });
}
