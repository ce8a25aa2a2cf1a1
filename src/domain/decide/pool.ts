import { canonicalJson } from '../../model/canonical.ts';
import type { CommandOf } from '../../model/commands.ts';
import type { ResolvedConfig } from '../../model/config.ts';
import type { FieldError } from '../../model/errors.ts';
import { MAX_TOKEN_FLOOR, TOKEN_JUMP } from '../../model/tokens.ts';
import { breakerChange } from '../breaker/breaker-change.ts';
import { breakerOf } from '../evolve/breakers.ts';
import { isInUse } from '../evolve/pool.ts';
import { nominalErrors, sizePool } from '../sizing.ts';
import type { PoolState } from '../state.ts';
import { type Answer, DONE } from './answer.ts';
import type { Turn } from './decision.ts';
import { refuse } from './refuse.ts';
import { cancelHopeless } from './requests.ts';

export function openPool(turn: Turn, { data }: CommandOf<'OpenPool'>): Answer {
  if (turn.state.poolId === '') turn.emit('PoolOpened', data);
  return DONE;
}

export function startWriter(turn: Turn, { data }: CommandOf<'StartWriter'>): Answer {
  turn.emit('WriterStarted', data);
  return DONE;
}

export function markWriter(turn: Turn, { data }: CommandOf<'MarkWriter'>): Answer {
  turn.emit('WriterSeen', data);
  return DONE;
}

/** Of two logs that go on from one, each must give tokens that the other does not. */
export function raiseTokenFloor(turn: Turn, { data }: CommandOf<'RaiseTokenFloor'>): Answer {
  const { state } = turn;
  const { least, reason, fileId } = data;
  const isForCopy = fileId !== null && fileId !== state.floorFor;
  if (!isForCopy && (least ?? 0) <= state.lastToken) return DONE;
  const known = Math.max(state.lastToken, data.known);
  const floor = least ?? known + TOKEN_JUMP;
  if (floor < known || floor > MAX_TOKEN_FLOOR)
    return refuse(
      turn,
      'INVALID_REQUEST',
      `token floor: ${floor} is not allowed; allowed: ${known} (the highest token that is known to have been given) to ${MAX_TOKEN_FLOOR}`,
    );
  turn.emit('TokenFloorRaised', { floor, reason: isForCopy ? reason : 'asked', fileId: isForCopy ? fileId : null });
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
  const errors = [...tiersInUse(state, config), ...(source === 'patch' ? nominalsBeyond(state, config) : [])];
  if (errors.length > 0) {
    const lines = errors.map(({ path, value, allowed }) => `${path}: ${value} is not allowed; allowed: ${allowed}`);
    return refuse(turn, 'INVALID_CONFIG', lines.join('\n'), { errors });
  }
  turn.emit('ConfigChanged', { config, hash, source, sized: sizePool(config, state.capacity) });
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
  return cancelHopeless(turn);
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
  const before = breakerOf(turn.state, writerId, data.ownGeneration ?? data.generation ?? 0);
  const change = breakerChange(turn.state.config.breaker, before, data, turn.at);
  if (change !== undefined) turn.emit('BreakerModeChanged', { writerId, ...change });
  return DONE;
}
