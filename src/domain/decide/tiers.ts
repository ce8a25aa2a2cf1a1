import { nextTierMode } from '../../machines/transitions.ts';
import type { CommandOf } from '../../model/commands.ts';
import type { TierTrigger } from '../../model/modes.ts';
import { type Answer, DONE } from '../answer.ts';
import { refuse } from '../refuse.ts';
import { leasesInOrder, type TierState, tierNamed } from '../state.ts';
import type { Turn } from '../turn.ts';
import { reclaim } from './lease.ts';
import { cancelHopeless } from './requests.ts';

/** Takes the edge that the machine has for a trigger; without an edge nothing happens. */
export function shift(
  turn: Turn,
  tier: TierState,
  trigger: TierTrigger,
  deadlineAt: number | null = tier.deadlineAt,
): void {
  const to = nextTierMode(tier.mode, trigger);
  if (to !== undefined) turn.emit('TierModeChanged', { tier: tier.name, trigger, from: tier.mode, to, deadlineAt });
}

function withTier(turn: Turn, name: string, act: (tier: TierState) => void): Answer {
  const tier = tierNamed(turn.state, name);
  if (tier === undefined) {
    const allowed = turn.state.tiers.map((known) => known.name).join(', ');
    return refuse(turn, 'NOT_FOUND', `there is no tier ${name}; there are: ${allowed}`);
  }
  act(tier);
  return DONE;
}

export const cordonTier = (turn: Turn, { data }: CommandOf<'CordonTier'>): Answer =>
  withTier(turn, data.tier, (tier) => shift(turn, tier, 'cordon'));

export const uncordonTier = (turn: Turn, { data }: CommandOf<'UncordonTier'>): Answer =>
  withTier(turn, data.tier, (tier) => shift(turn, tier, 'uncordon', null));

export const drainTier = (turn: Turn, { data }: CommandOf<'DrainTier'>): Answer =>
  withTier(turn, data.tier, (tier) => {
    if (nextTierMode(tier.mode, 'drain') === undefined) return;
    shift(turn, tier, 'drain', turn.at + data.deadlineMs);
    cancelHopeless(turn);
  });

/** The deadline of the drain that is on: what has not ended by itself is reclaimed. */
export const endTierDrain = (turn: Turn, { data }: CommandOf<'EndTierDrain'>): Answer =>
  withTier(turn, data.tier, (tier) => {
    if (tier.mode.admission !== 'draining' || tier.deadlineAt !== data.deadlineAt) return;
    for (const lease of leasesInOrder(turn.state).filter((lease) => lease.tier === tier.name)) {
      if (turn.room <= 0) return turn.follow({ type: 'EndTierDrain', data });
      reclaim(turn, lease, 'drained', null);
    }
    shift(turn, tier, 'drain.deadline', null);
  });
