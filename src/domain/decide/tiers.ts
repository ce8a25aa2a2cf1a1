import { nextTierMode } from '../../machines/transitions.ts';
import type { CommandOf } from '../../model/commands.ts';
import type { TierTrigger } from '../../model/modes.ts';
import { type TierState, tierNamed } from '../state.ts';
import { type Answer, DONE } from './answer.ts';
import type { Turn } from './decision.ts';
import { reclaim } from './lease.ts';
import { refuse } from './refuse.ts';
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

/** So many leases one command looks at for those of its tier. */
const LOOKED_AT = 8_192;

/** The deadline of the drain that is on: what has not ended by itself is reclaimed, in parts, in the order of the grants. */
export const endTierDrain = (turn: Turn, { data }: CommandOf<'EndTierDrain'>): Answer =>
  withTier(turn, data.tier, (tier) => {
    if (tier.mode.admission !== 'draining' || tier.deadlineAt !== data.deadlineAt) return;
    let afterToken = data.afterToken ?? 0;
    let left = LOOKED_AT;
    for (const lease of turn.state.leases.after(afterToken)) {
      if (tier.leases === 0) break;
      if (turn.room <= 0 || left-- === 0) return turn.follow({ type: 'EndTierDrain', data: { ...data, afterToken } });
      if (lease.tier === tier.name) reclaim(turn, lease, 'drained', null);
      afterToken = lease.token;
    }
    if (tier.leases === 0) shift(turn, tier, 'drain.deadline', null);
    else turn.follow({ type: 'EndTierDrain', data: { ...data, afterToken: 0 } }); // it was opened and drained again meanwhile
  });
