import { type Amounts, amountIn } from '../model/values/amounts.ts';
import { keyBytes } from './evolve/keys.ts';
import { couldGrant } from './plan.ts';
import { rankIn } from './queue/queue.ts';
import type { LeaseRecord, PoolState, TierState, WaitingRecord } from './state.ts';
import { leaseNamed } from './state.ts';

/**
 * What is wrong with a state that no history may lead to; empty = nothing. Checked after every event of simulated runs. Everything
 * that the fold counts as it goes is counted anew from the records.
 */
export function checkInvariants(state: PoolState): string[] {
  const wrong: string[] = [];
  checkSums(state, wrong);
  for (const tier of state.tiers) checkTier(state, tier, wrong);
  checkSizes(state, wrong);
  checkNames(state, wrong);
  checkKeys(state, wrong);
  checkOrders(state, wrong);
  for (const lease of state.leases.values()) checkLease(state, lease, wrong);
  return wrong;
}

function checkSums(state: PoolState, wrong: string[]): void {
  const leases = [...state.leases.values()];
  const lost = [...state.quarantine.values()];
  const inTier = (name: string) => (each: { readonly tier: string }) => each.tier === name;
  same(wrong, 'pool', state.allocated.toJSON(), sumOf(leases));
  same(wrong, 'quarantine', state.quarantined.toJSON(), sumOf(lost));
  for (const { name, allocated, quarantined, leases: count } of state.tiers) {
    const held = leases.filter(inTier(name));
    same(wrong, `tier ${name}`, allocated.toJSON(), sumOf(held));
    same(wrong, `quarantine of tier ${name}`, quarantined.toJSON(), sumOf(lost.filter(inTier(name))));
    if (count !== held.length) wrong.push(`tier ${name}: counts ${count} leases, holds ${held.length}`);
  }
  const withQuota = Object.keys(state.config.quotas);
  if (state.owners.size !== withQuota.length) wrong.push('owners are not those that have a quota');
  for (const owner of withQuota) {
    const held = leases.filter((lease) => lease.owner === owner);
    same(wrong, `owner ${owner}`, state.owners.get(owner)?.toJSON() ?? {}, sumOf(held));
  }
}

function sumOf(all: readonly { readonly amounts: Amounts }[]): Amounts {
  const sum: Record<string, number> = {};
  for (const { amounts } of all)
    for (const dimension in amounts) sum[dimension] = amountIn(sum, dimension) + amountIn(amounts, dimension);
  return sum;
}

function same(wrong: string[], what: string, counted: Amounts, summed: Amounts): void {
  for (const dimension of new Set([...Object.keys(counted), ...Object.keys(summed)])) {
    const [a, b] = [amountIn(counted, dimension), amountIn(summed, dimension)];
    if (a !== b || a < 0) wrong.push(`${what}: ${dimension} is counted as ${a}, held are ${b}`);
  }
}

function checkTier(state: PoolState, tier: TierState, wrong: string[]): void {
  const { name, mode, waiting, leases, deadlineAt } = tier;
  if (mode.admission === 'drained' && leases > 0) wrong.push(`tier ${name}: drained with ${leases} leases`);
  if ((mode.admission === 'draining') !== (deadlineAt !== null)) wrong.push(`tier ${name}: deadline ${deadlineAt}`);
  let before: WaitingRecord | undefined;
  let i = 0;
  for (const waiter of waiting) {
    if (before !== undefined && !isInOrder(tier, before, waiter))
      wrong.push(`tier ${name}: waiters out of order at ${i}`);
    if (state.waiting.get(waiter.leaseId) !== waiter) wrong.push(`waiter ${waiter.leaseId} is not in the index`);
    if (waiting.placeOf(waiter) !== i) wrong.push(`waiter ${waiter.leaseId} has not place ${i} in tier ${name}`);
    before = waiter;
    i += 1;
  }
}

function isInOrder(tier: TierState, a: WaitingRecord, b: WaitingRecord): boolean {
  const [rank, other] = [rankIn(tier, a), rankIn(tier, b)];
  return rank < other || (rank === other && a.leaseId < b.leaseId);
}

/** The nominals of all tiers are of what is allocatable, and no more. */
function checkSizes(state: PoolState, wrong: string[]): void {
  for (const dimension of state.dimensions) {
    const nominals = state.tiers.reduce((sum, { sizing }) => sum + amountIn(sizing.nominal, dimension), 0);
    if (nominals > amountIn(state.allocatable, dimension))
      wrong.push(`${dimension}: nominals of ${nominals}, allocatable are ${amountIn(state.allocatable, dimension)}`);
  }
}

/** Who is live or waits goes by its name alone, and no name by nobody. */
function checkNames(state: PoolState, wrong: string[]): void {
  const named: [name: string, leaseId: string][] = [
    ...[...state.leases.values()].map(({ requestId, leaseId }): [string, string] => [requestId, leaseId]),
    ...[...state.waiting.values()].map(({ request, leaseId }): [string, string] => [request.id, leaseId]),
  ];
  for (const [name, leaseId] of named)
    if (leaseNamed(state, name) !== leaseId) wrong.push(`${name} is not the name of ${leaseId}`);
  if (state.names.size !== named.filter(([name, leaseId]) => name !== leaseId).length)
    wrong.push('names are not those of live leases and waiters');
  for (const waiter of state.waiting.values())
    for (const tier of state.tiers)
      if (tier.waiting.includes(waiter) !== couldGrant(state, tier, waiter))
        wrong.push(`tier ${tier.name}: ${waiter.leaseId} waits there, or does not, against the configuration`);
}

/** What is kept in order is what is held, and what waits. */
function checkOrders(state: PoolState, wrong: string[]): void {
  const held = [...state.leases.values()];
  if (held.some(({ token }, i) => i > 0 && token <= held[i - 1]!.token)) wrong.push('leases are not in order');
  const expiries = [...state.leases.byExpiry()].map(({ token }) => token);
  const sorted = held.sort((a, b) => a.expiresAt - b.expiresAt || a.token - b.token).map(({ token }) => token);
  if (expiries.join() !== sorted.join()) wrong.push(`leases by expiry: ${expiries}, should be ${sorted}`);
  const waiting = [...state.waiting.values()].sort((a, b) => a.revision - b.revision);
  const came = [...state.arrivals];
  if (came.length !== waiting.length || came.some((waiter, i) => waiter !== waiting[i]))
    wrong.push('waiters in the order of their coming are not those that wait');
}

/** A key of a grant goes with its lease; any other has its place in the order in which they are forgotten. */
function checkKeys(state: PoolState, wrong: string[]): void {
  for (const [scope, { leaseId, n }] of state.keys) {
    if (n >= 0 && state.keysInOrder.get(n) !== scope) wrong.push(`key ${scope} is not in its place ${n}`);
    if (n < 0 && (leaseId === null || !isKnown(state, leaseId))) wrong.push(`key ${scope} leads nowhere: ${leaseId}`);
  }
  const bytes = [...state.keys].reduce((sum, [scope, record]) => sum + keyBytes(scope, record), 0);
  if (state.keysBytes !== bytes) wrong.push(`keys are counted as ${state.keysBytes} bytes, and are ${bytes}`);
  if (state.keysInOrder.size > state.keysNext - state.keysFirst) wrong.push('keys are kept that were forgotten');
}

const isKnown = (state: PoolState, leaseId: string): boolean =>
  state.leases.has(leaseId) || state.waiting.has(leaseId) || state.ended.has(leaseId);

function checkLease(state: PoolState, lease: LeaseRecord, wrong: string[]): void {
  const { leaseId, token, noticeEndsAt } = lease;
  if (token > state.lastToken) wrong.push(`lease ${leaseId}: token ${token} was never given`);
  if (state.ended.has(leaseId)) wrong.push(`lease ${leaseId} is both live and ended`);
  if (state.waiting.has(leaseId)) wrong.push(`lease ${leaseId} is held and waits`);
  if (state.leases.get(leaseId) !== lease) wrong.push(`lease ${leaseId} is not found by its id`);
  if (noticeEndsAt !== null && noticeEndsAt < lease.grantedAt)
    wrong.push(`lease ${leaseId} is noticed before its grant`);
}
