import { nextTierMode } from '../../machines/transitions.ts';
import type { CommandOf } from '../../model/commands.ts';
import type { TierTrigger } from '../../model/modes.ts';
import { type TierState, tierNamed } from '../state.ts';
import { type Answer, DONE } from './answer.ts';
import type { Decision } from './decision.ts';
import { reclaim } from './lease.ts';
import { refuse } from './refuse.ts';
import { cancelHopeless } from './requests.ts';

/** Takes the edge that the machine has for a trigger; without an edge nothing happens. */
export function shift(
  decision: Decision,
  tier: TierState,
  trigger: TierTrigger,
  deadlineAt: number | null = tier.deadlineAt,
): void {
  const to = nextTierMode(tier.mode, trigger);
  if (to !== undefined) decision.emit('TierModeChanged', { tier: tier.name, trigger, from: tier.mode, to, deadlineAt });
}

function withTier(decision: Decision, name: string, act: (tier: TierState) => void): Answer {
  const tier = tierNamed(decision.state, name);
  if (tier === undefined) {
    const allowed = decision.state.tiers.map((known) => known.name).join(', ');
    return refuse(decision, 'NOT_FOUND', `there is no tier ${name}; there are: ${allowed}`);
  }
  act(tier);
  return DONE;
}

export const cordonTier = (decision: Decision, { data }: CommandOf<'CordonTier'>): Answer =>
  withTier(decision, data.tier, (tier) => shift(decision, tier, 'cordon'));

export const uncordonTier = (decision: Decision, { data }: CommandOf<'UncordonTier'>): Answer =>
  withTier(decision, data.tier, (tier) => shift(decision, tier, 'uncordon', null));

export const drainTier = (decision: Decision, { data }: CommandOf<'DrainTier'>): Answer =>
  withTier(decision, data.tier, (tier) => {
    if (nextTierMode(tier.mode, 'drain') === undefined) return;
    shift(decision, tier, 'drain', decision.at + data.deadlineMs);
    cancelHopeless(decision);
  });

/** So many leases one command looks at for those of its tier. */
const LOOKED_AT = 8_192;

/** The deadline of the drain that is on: what has not ended by itself is reclaimed, in parts, in the order of the grants. */
export const endTierDrain = (decision: Decision, { data }: CommandOf<'EndTierDrain'>): Answer =>
  withTier(decision, data.tier, (tier) => {
    if (tier.mode.admission !== 'draining' || tier.deadlineAt !== data.deadlineAt) return;
    let afterToken = data.afterToken ?? 0;
    let left = LOOKED_AT;
    for (const lease of decision.state.leases.after(afterToken)) {
      if (tier.leases === 0) break;
      if (decision.room <= 0 || left-- === 0)
        return decision.follow({ type: 'EndTierDrain', data: { ...data, afterToken } });
      if (lease.tier === tier.name) reclaim(decision, lease, 'drained', null);
      afterToken = lease.token;
    }
    if (tier.leases === 0) shift(decision, tier, 'drain.deadline', null);
    else decision.follow({ type: 'EndTierDrain', data: { ...data, afterToken: 0 } }); // it was opened and drained again meanwhile
  });
