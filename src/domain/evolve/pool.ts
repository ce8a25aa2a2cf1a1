import { nextTierMode, tierMode } from '../../machines/transitions.ts';
import type { ResolvedConfig } from '../../model/config/config.ts';
import type { Sizing } from '../../model/events.ts';
import { poolStream } from '../../model/ids.ts';
import { MAX_TOKEN_FLOOR } from '../../model/values/tokens.ts';
import { type Journal, put } from '../ledger/journal.ts';
import { Tally } from '../ledger/tally.ts';
import { WaitingList } from '../queue/waiting-list.ts';
import { limitsOf, ownersOf } from '../sizing.ts';
import { OPEN_NORMAL, type PoolState, type TierState, tierNamed } from '../state.ts';
import { rulesOf } from '../tier-rules.ts';
import type { EventOf } from './event.ts';
import { ImpossibleHistory } from './impossible.ts';
import { queueAnew, standing } from './requests.ts';

export function foldOpened(state: PoolState, event: EventOf<'PoolOpened'>, journal: Journal | undefined): void {
  if (state.poolId !== '') throw new ImpossibleHistory(event, 'the pool is open already');
  put(journal, state, 'poolId', event.data.poolId);
  put(journal, state, 'stream', poolStream(event.data.poolId));
  put(journal, state, 'hostId', event.data.hostId);
}

export function foldConfig(state: PoolState, event: EventOf<'ConfigChanged'>, journal: Journal | undefined): void {
  const { config, hash, source, sized } = event.data;
  const before = state.config;
  const stood = standing(state);
  put(journal, state, 'config', config);
  put(journal, state, 'configHash', hash);
  if (source === 'start') put(journal, state, 'startConfigHash', hash);
  put(journal, state, 'configRevision', event.revision);
  resize(state, event, config, sized, stood, journal);
  if (config.quotas !== before.quotas) put(journal, state, 'owners', ownersOf(state, journal));
}

export function foldCapacity(state: PoolState, event: EventOf<'CapacityObserved'>, journal: Journal | undefined): void {
  const { capacity, source, hostId, sized } = event.data;
  const stood = standing(state);
  put(journal, state, 'capacity', capacity);
  put(journal, state, 'capacitySource', source);
  put(journal, state, 'hostId', hostId);
  put(journal, state, 'capacityRevision', event.revision);
  put(journal, state, 'dimensions', Object.keys(capacity));
  resize(state, event, state.config, sized, stood, journal);
}

/** Takes the amounts that the event gives; a tier that goes must be empty. `stood`: who waited where before. */
function resize(
  state: PoolState,
  event: EventOf<'ConfigChanged' | 'CapacityObserved'>,
  config: ResolvedConfig,
  sized: Sizing,
  stood: ReadonlyMap<string, string>,
  journal: Journal | undefined,
): void {
  state.freed += 1;
  const rules = new Map(state.tiers.map((tier) => [tier.name, tier.rules]));
  put(journal, state, 'allocatable', sized.allocatable);
  put(journal, state, 'whole', state.numbered.dense(sized.allocatable));
  const kept = new Set(config.tiers.map((tier) => tier.name));
  for (const tier of state.tiers) {
    if (!kept.has(tier.name) && isInUse(tier))
      throw new ImpossibleHistory(event, `tier ${tier.name} goes, but is not empty`);
  }
  put(
    journal,
    state,
    'tiers',
    config.tiers.map(({ name }) => tierNamed(state, name) ?? newTier(state, config, name)),
  );
  for (const tier of state.tiers) {
    const sizing = sized.tiers[tier.name];
    if (sizing === undefined) throw new ImpossibleHistory(event, `tier ${tier.name} has no size`);
    put(journal, tier, 'sizing', sizing);
    put(journal, tier, 'limits', limitsOf(state.numbered, sizing));
    put(journal, tier, 'rules', rulesOf(config, tier.name));
    tier.allocated.widen();
    tier.quarantined.widen();
  }
  state.allocated.widen();
  state.quarantined.widen();
  queueAnew(state, stood, rules, journal);
}

/** A tier stays while it holds anything, or anyone waits for it by name. */
export const isInUse = ({ leases, waiting, quarantined }: TierState): boolean =>
  leases > 0 || !quarantined.isZero || waiting.hasNamed;

function newTier(state: PoolState, config: ResolvedConfig, name: string): TierState {
  const rules = rulesOf(config, name);
  return {
    name,
    sizing: { nominal: {}, borrowingLimit: null, lendingLimit: null },
    limits: { nominal: [], most: [], guaranteed: [] },
    rules,
    mode: OPEN_NORMAL,
    deadlineAt: null,
    loadChangedAt: 0,
    allocated: new Tally(state.numbered),
    quarantined: new Tally(state.numbered),
    waiting: new WaitingList(rules, state.numbered),
    leases: 0,
  };
}

export function foldTierMode(state: PoolState, event: EventOf<'TierModeChanged'>, journal: Journal | undefined): void {
  const { trigger, from, to, deadlineAt } = event.data;
  const tier = tierNamed(state, event.data.tier);
  if (tier === undefined) throw new ImpossibleHistory(event, `there is no tier ${event.data.tier}`);
  const target = nextTierMode(tierMode(from.admission, from.load), trigger);
  const same = tier.mode.admission === from.admission && tier.mode.load === from.load;
  if (!same || target === undefined || target.admission !== to.admission || target.load !== to.load) {
    throw new ImpossibleHistory(
      event,
      `${trigger} does not lead from ${JSON.stringify(tier.mode)} to ${JSON.stringify(to)}`,
    );
  }
  if ((target.admission === 'draining') !== (deadlineAt !== null))
    throw new ImpossibleHistory(event, 'a drain, and nothing else, has a deadline');
  if (target.admission === 'drained' && tier.leases > 0)
    throw new ImpossibleHistory(event, `is drained and holds ${tier.leases} leases`);
  state.freed += 1;
  put(journal, tier, 'mode', target);
  put(journal, tier, 'deadlineAt', deadlineAt);
  if (from.load !== to.load) put(journal, tier, 'loadChangedAt', event.at);
}

export function foldWriter(state: PoolState, event: EventOf<'WriterStarted'>, journal: Journal | undefined): void {
  put(journal, state, 'lastWriterId', event.data.writerId);
}

export function foldTokenFloor(
  state: PoolState,
  event: EventOf<'TokenFloorRaised'>,
  journal: Journal | undefined,
): void {
  const { floor, fileId } = event.data;
  if (!(Number.isSafeInteger(floor) && floor >= state.lastToken && floor <= MAX_TOKEN_FLOOR))
    throw new ImpossibleHistory(event, `raises the floor of tokens to ${floor}; the last was ${state.lastToken}`);
  put(journal, state, 'lastToken', floor);
  if (fileId !== null) put(journal, state, 'floorFor', fileId);
}

export function foldHealth(state: PoolState, event: EventOf<'HealthChanged'>, journal: Journal | undefined): void {
  put(journal, state, 'healthy', event.data.healthy);
  put(journal, state, 'failingChecks', event.data.failing);
}

export function foldPoolDrain(
  state: PoolState,
  event: EventOf<'PoolDrainStarted' | 'PoolDrainEnded'>,
  journal: Journal | undefined,
): void {
  const draining = event.type === 'PoolDrainStarted';
  if (state.draining === draining) throw new ImpossibleHistory(event, draining ? 'drains already' : 'does not drain');
  put(journal, state, 'draining', draining);
}
