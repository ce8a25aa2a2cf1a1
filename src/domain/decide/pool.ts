import type { CommandOf } from '../../model/commands.ts';
import type { ResolvedConfig } from '../../model/config/config.ts';
import type { FieldError } from '../../model/errors.ts';
import { canonicalJson } from '../../model/values/canonical.ts';
import { MAX_TOKEN_FLOOR, TOKEN_JUMP } from '../../model/values/tokens.ts';
import { breakerChange } from '../breaker/breaker-change.ts';
import { breakerOf } from '../evolve/breakers.ts';
import { isInUse } from '../evolve/pool.ts';
import { nominalErrors, sizePool } from '../sizing.ts';
import type { PoolState } from '../state.ts';
import { type Answer, DONE } from './answer.ts';
import type { Decision } from './decision.ts';
import { refuse } from './refuse.ts';
import { cancelHopeless } from './requests.ts';

export function openPool(decision: Decision, { data }: CommandOf<'OpenPool'>): Answer {
  if (decision.state.poolId === '') decision.emit('PoolOpened', data);
  return DONE;
}

export function startWriter(decision: Decision, { data }: CommandOf<'StartWriter'>): Answer {
  decision.emit('WriterStarted', data);
  return DONE;
}

export function markWriter(decision: Decision, { data }: CommandOf<'MarkWriter'>): Answer {
  decision.emit('WriterSeen', data);
  return DONE;
}

/** Of two logs that go on from one, each must give tokens that the other does not. */
export function raiseTokenFloor(decision: Decision, { data }: CommandOf<'RaiseTokenFloor'>): Answer {
  const { state } = decision;
  const { least, reason, fileId } = data;
  const isForCopy = fileId !== null && fileId !== state.floorFor;
  if (!isForCopy && (least ?? 0) <= state.lastToken) return DONE;
  const known = Math.max(state.lastToken, data.known);
  const floor = least ?? known + TOKEN_JUMP;
  if (floor < known || floor > MAX_TOKEN_FLOOR)
    return refuse(
      decision,
      'INVALID_REQUEST',
      `token floor: ${floor} is not allowed; allowed: ${known} (the highest token that is known to have been given) to ${MAX_TOKEN_FLOOR}`,
    );
  decision.emit('TokenFloorRaised', { floor, reason: isForCopy ? reason : 'asked', fileId: isForCopy ? fileId : null });
  return DONE;
}

export function configure(decision: Decision, { data }: CommandOf<'Configure'>): Answer {
  const { state } = decision;
  const { config, hash, source, expectedRevision } = data;
  if (expectedRevision !== null && expectedRevision !== state.configRevision) {
    return refuse(
      decision,
      'REVISION_MISMATCH',
      `the configuration stands at revision ${state.configRevision}, not ${expectedRevision}`,
    );
  }
  if (hash === (source === 'start' ? state.startConfigHash : state.configHash)) return DONE;
  const errors = [...tiersInUse(state, config), ...(source === 'patch' ? nominalsBeyond(state, config) : [])];
  if (errors.length > 0) {
    const lines = errors.map(({ path, value, allowed }) => `${path}: ${value} is not allowed; allowed: ${allowed}`);
    return refuse(decision, 'INVALID_CONFIG', lines.join('\n'), { errors });
  }
  decision.emit('ConfigChanged', { config, hash, source, sized: sizePool(config, state.capacity) });
  return DONE;
}

/** A tier stays until it is empty. */
function tiersInUse(state: PoolState, config: ResolvedConfig): FieldError[] {
  const kept = new Set(config.tiers.map((tier) => tier.name));
  return state.tiers
    .filter((tier) => !kept.has(tier.name) && isInUse(tier))
    .map(({ name }) => ({ path: 'tiers', value: name, allowed: `tier ${name} must stay until it is empty` }));
}

/**
 * Who changes the nominals of a pool asks for no more than there is. What stands may come to more: a configuration at the start,
 * as the machine is looked at after it, and any when the capacity falls; then the later tiers are cut (`sizePool`).
 */
function nominalsBeyond(state: PoolState, config: ResolvedConfig): FieldError[] {
  const nominals = ({ tiers }: ResolvedConfig) => canonicalJson(tiers.map(({ name, nominal }) => [name, nominal]));
  const declared = ({ detection }: ResolvedConfig) => canonicalJson(detection.capacity);
  const isJudged = state.capacityRevision >= 0 && declared(config) === declared(state.config);
  return isJudged && nominals(config) !== nominals(state.config) ? nominalErrors(config, state.capacity) : [];
}

export function observeCapacity(decision: Decision, { data }: CommandOf<'ObserveCapacity'>): Answer {
  const { state } = decision;
  const same =
    state.capacityRevision >= 0 &&
    data.source === state.capacitySource &&
    canonicalJson(data.capacity) === canonicalJson(state.capacity);
  if (!same) decision.emit('CapacityObserved', { ...data, sized: sizePool(state.config, data.capacity) });
  return DONE;
}

export function observeHealth(decision: Decision, { data }: CommandOf<'ObserveHealth'>): Answer {
  const { healthy, failingChecks } = decision.state;
  if (healthy !== data.healthy || failingChecks.join() !== data.failing.join()) decision.emit('HealthChanged', data);
  return DONE;
}

export function drainPool(decision: Decision, { data }: CommandOf<'DrainPool'>): Answer {
  if (decision.state.draining) return DONE;
  decision.emit('PoolDrainStarted', { deadlineAt: data.deadlineMs === null ? null : decision.at + data.deadlineMs });
  return cancelHopeless(decision);
}

export function endPoolDrain(decision: Decision): Answer {
  if (decision.state.draining) decision.emit('PoolDrainEnded', {});
  return DONE;
}

/**
 * The breaker of one manager changes at once (`breakerChange` on its gate's record); this records the change, computed again from
 * the recorded breaker by the same rule. So it can be decided late, and again after a conflict.
 */
export function triggerBreaker(decision: Decision, { data }: CommandOf<'TriggerBreaker'>, writerId: string): Answer {
  const before = breakerOf(decision.state, writerId, data.ownGeneration ?? data.generation ?? 0);
  const change = breakerChange(decision.state.config.breaker, before, data, decision.at);
  if (change !== undefined) decision.emit('BreakerModeChanged', { writerId, ...change });
  return DONE;
}
