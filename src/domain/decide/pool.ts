import { canonicalJson } from '../../model/canonical.ts';
import type { CommandOf } from '../../model/commands.ts';
import { type Answer, DONE } from '../answer.ts';
import { BREAKER_CLOSED, breakerChange } from '../breaker-change.ts';
import { refuse } from '../refuse.ts';
import { sizePool } from '../sizing.ts';
import { waitersInOrder } from '../state.ts';
import type { Turn } from '../turn.ts';

export function openPool(turn: Turn, { data }: CommandOf<'OpenPool'>): Answer {
  if (turn.state.poolId === '') turn.emit('PoolOpened', data);
  return DONE;
}

/** Waiters of an earlier life of this writer have lost their callers, unless a key or `respond-async` lets them come back. */
export function startWriter(turn: Turn, { data }: CommandOf<'StartWriter'>): Answer {
  turn.emit('WriterStarted', data);
  for (const { leaseId, request, writerId } of waitersInOrder(turn.state)) {
    if (writerId === data.writerId && request.idempotencyKey === null && !request.detached) {
      turn.emit('RequestCancelled', { leaseId, requestId: request.id, reason: 'writerGone' }, leaseId);
    }
  }
  return DONE;
}

export function configure(turn: Turn, { data }: CommandOf<'Configure'>): Answer {
  const { state } = turn;
  const { config, hash, source, expectedRevision } = data;
  if (expectedRevision !== null && expectedRevision !== state.configRevision) {
    return refuse(
      turn,
      'REVISION_MISMATCH',
      `the configuration stands at revision ${state.configRevision}, not ${expectedRevision}`,
    );
  }
  if (hash === (source === 'start' ? state.startConfigHash : state.configHash)) return DONE;
  const kept = new Set(config.tiers.map((tier) => tier.name));
  const busy = state.tiers.filter(
    (tier) => !kept.has(tier.name) && (tier.leases > 0 || tier.waiting.length > 0 || !tier.quarantined.isZero),
  );
  if (busy.length > 0) {
    const errors = busy.map(({ name }) => ({
      path: 'tiers',
      value: name,
      allowed: `tier ${name} must stay until it is empty`,
    }));
    return refuse(turn, 'INVALID_CONFIG', errors.map((error) => error.allowed).join('\n'), { errors });
  }
  turn.emit('ConfigChanged', { config, hash, source, sized: sizePool(config, state.capacity) });
  return DONE;
}

export function observeCapacity(turn: Turn, { data }: CommandOf<'ObserveCapacity'>): Answer {
  const { state } = turn;
  const same =
    state.capacityRevision >= 0 &&
    data.source === state.capacitySource &&
    canonicalJson(data.capacity) === canonicalJson(state.capacity);
  if (!same) turn.emit('CapacityObserved', { ...data, sized: sizePool(state.config, data.capacity) });
  return DONE;
}

export function observeHealth(turn: Turn, { data }: CommandOf<'ObserveHealth'>): Answer {
  const { healthy, failingChecks } = turn.state;
  if (healthy !== data.healthy || failingChecks.join() !== data.failing.join()) turn.emit('HealthChanged', data);
  return DONE;
}

export function drainPool(turn: Turn, { data }: CommandOf<'DrainPool'>): Answer {
  if (turn.state.draining) return DONE;
  turn.emit('PoolDrainStarted', { deadlineAt: data.deadlineMs === null ? null : turn.at + data.deadlineMs });
  for (const { leaseId, request } of waitersInOrder(turn.state)) {
    turn.emit('RequestCancelled', { leaseId, requestId: request.id, reason: 'draining' }, leaseId);
  }
  return DONE;
}

export function endPoolDrain(turn: Turn): Answer {
  if (turn.state.draining) turn.emit('PoolDrainEnded', {});
  return DONE;
}

/**
 * The breaker of one manager changes at once (`breakerChange` on its gate's record); this records the change, computed again from
 * the recorded breaker by the same rule. So it can be decided late, and again after a conflict.
 */
export function triggerBreaker(turn: Turn, { data }: CommandOf<'TriggerBreaker'>, writerId: string): Answer {
  const before = turn.state.breakers.get(writerId) ?? BREAKER_CLOSED;
  const change = breakerChange(turn.state.config.breaker, before, data, turn.at);
  if (change !== undefined) turn.emit('BreakerModeChanged', { writerId, ...change });
  return DONE;
}
