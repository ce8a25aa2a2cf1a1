import { renewalIntervalMs } from '../model/renewal.ts';
import type { LeaseState, LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';
import { BREAKER_CLOSED, type BreakerRecord } from './breaker/breaker-record.ts';
import { borrowedOf, lentOf, perDimension, roomIn, shortfallOf } from './placement.ts';
import { startEstimate } from './queue/estimate.ts';
import { leastOf } from './queue/least.ts';
import { admits, countAtHome, homeOf, homesOf } from './queue/queue.ts';
import type { EndedLease, LeaseRecord, PoolState, TierState, WaitingRecord } from './state.ts';

const isEnded = (record: LeaseRecord | EndedLease): record is EndedLease => 'lease' in record;

/** Ended by its holder it is released; by anything else, for the reason that its record holds, reclaimed. */
export function leaseState(record: LeaseRecord | EndedLease): LeaseState {
  if (!isEnded(record)) return 'active';
  return record.reason === null ? 'released' : 'reclaimed';
}

/** A lease as it stands, live or ended. */
export function leaseView(record: LeaseRecord | EndedLease): LeaseView {
  const lease = isEnded(record) ? record.lease : record;
  const {
    leaseId,
    request,
    token,
    tier,
    priority,
    type,
    amounts,
    borrowed,
    grantedAt,
    ttlMs,
    expiresAt,
    noticeEndsAt,
  } = lease;
  return {
    id: leaseId,
    requestId: request.id,
    token,
    tier,
    owner: request.owner,
    priority,
    type,
    requirements: request.requirements,
    amounts,
    borrowed,
    labels: request.labels,
    grantedAt,
    ttlMs,
    expiresAt,
    renewAfterMs: renewalIntervalMs(ttlMs),
    state: leaseState(record),
    noticeEndsAt,
    endedAt: isEnded(record) ? record.endedAt : null,
    reason: isEnded(record) ? record.reason : null,
    revision: record.revision,
  };
}

/** A waiting request; as the next one if it waits no more (it may end in the commit that began it). */
export const requestView = (state: PoolState, record: WaitingRecord): RequestView =>
  waiterView(state, homeOf(state, record), record);

/** All that wait, tier by tier, in their order. */
export function requestViews(state: PoolState): RequestView[] {
  const homeIn = homesOf(state);
  return state.tiers.flatMap((tier) => {
    const atHome = [...tier.waiting].filter((record) => homeIn(record) === tier);
    return atHome.map((record) => waiterView(state, tier, record));
  });
}

/** A waiting request at home in `tier`. `position`: in its queue, where it is known already. */
export function waiterView(
  state: PoolState,
  tier: TierState,
  record: WaitingRecord,
  position = tier.waiting.includes(record) ? tier.waiting.placeOf(record) : 0,
): RequestView {
  const estimate = tier.waiting.length === 0 ? null : startEstimate(state, tier, position);
  return waitingView(state, tier, record, position, estimate);
}

function waitingView(
  state: PoolState,
  tier: TierState,
  record: WaitingRecord,
  position: number,
  estimatedStartMs: number | null,
): RequestView {
  const { leaseId, request, priority, queuedAt, expiresAt } = record;
  return {
    requestId: request.id,
    leaseId,
    tier: tier.name,
    owner: request.owner,
    priority,
    requirements: request.requirements,
    amounts: request.amounts,
    state: 'waiting',
    queuedAt,
    expiresAt,
    position,
    shortfall: shortfallOf(state, tier, leastOf(request)),
    estimatedStartMs,
  };
}

export function tierView(state: PoolState, tier: TierState): TierView {
  const open = admits(tier);
  return {
    name: tier.name,
    admission: tier.mode.admission,
    load: tier.mode.load,
    nominal: tier.sizing.nominal,
    allocated: perDimension(state, (dimension) => tier.allocated.of(dimension)),
    quarantined: perDimension(state, (dimension) => tier.quarantined.of(dimension)),
    borrowed: borrowedOf(state, tier),
    lent: lentOf(state, tier),
    free: perDimension(state, (dimension) => (open ? roomIn(state, tier, dimension) : 0)),
    waiting: countAtHome(state, tier),
  };
}

/** The body of GET /pool. `breaker`: of the manager that answers; without one that of the log's last writer. */
export function poolView(
  state: PoolState,
  breaker: BreakerRecord = state.breakers.get(state.lastWriterId) ?? BREAKER_CLOSED,
): PoolView {
  return {
    poolId: state.poolId,
    revision: state.revision,
    at: state.at,
    hostId: state.hostId,
    capacity: state.capacity,
    allocatable: state.allocatable,
    allocated: perDimension(state, (dimension) => state.allocated.of(dimension)),
    tiers: state.tiers.map((tier) => tierView(state, tier)),
    breaker: { mode: breaker.mode, until: breaker.until },
    queue: { waiting: state.waiting.size },
    leases: state.leases.size,
    utilization: utilizationOf(state),
    draining: state.draining,
    configRevision: state.configRevision,
  };
}

/** allocated / allocatable per dimension; 0 where nothing is allocatable. */
export function utilizationOf(state: PoolState): Readonly<Record<string, number>> {
  return perDimension(state, (dimension) => {
    const whole = state.allocatable[dimension] ?? 0;
    return whole === 0 ? 0 : state.allocated.of(dimension) / whole;
  });
}
