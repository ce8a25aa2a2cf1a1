import type { FollowUp } from '../../model/commands.ts';
import type { EventType } from '../../model/events.ts';
import type { Amounts } from '../../model/values/amounts.ts';
import { isInsideNominal, isOverallocated } from '../placement.ts';
import { leastOf } from '../queue/least.ts';
import { Lenders } from '../queue/lenders.ts';
import { admits, drains, firstThatFits, rankIn } from '../queue/queue.ts';
import type { PoolState, TierState, WaitingRecord } from '../state.ts';
import type { Decision } from './decision.ts';
import { grant, grantable } from './grant.ts';
import { cancelHopeless } from './requests.ts';
import { loadTrigger, overTrigger } from './sensors.ts';
import { shift } from './tiers.ts';

/**
 * What may let a waiter in that was kept out: capacity or a quota comes free, a tier opens, or someone before it goes, is granted, or
 * no longer fits. After any other event those who wait wait for the same as before.
 */
const WAKING: ReadonlySet<EventType> = new Set<EventType>([
  'LeaseGranted',
  'LeaseReleased',
  'LeaseReclaimed',
  'QuarantineEnded',
  'RequestCancelled',
  'RequestExpired',
  'TierModeChanged',
  'ConfigChanged',
  'CapacityObserved',
  'PoolDrainEnded',
]);

/**
 * What follows from a command once its own events are folded: waiters that fit are granted, tiers change their modes. Where a
 * writer is gone others of its requests may be next in the queue: nobody is granted until the commands that cancel them are decided.
 */
export function react(decision: Decision): void {
  const { state } = decision;
  if (state.waiting.size > 0 && mayBeHopeless(decision)) cancelHopeless(decision);
  if (state.waiting.size > 0 && !state.draining && wakes(decision)) {
    judgeOver(decision);
    if (isWriterGone(decision)) decision.follow(SWEEP);
    else wake(decision);
  }
  const over = isOverallocated(state);
  for (const tier of state.tiers) {
    if (tier.mode.admission === 'draining' && tier.leases === 0) shift(decision, tier, 'emptied', null);
    const trigger = loadTrigger(state, tier, decision.at, over);
    if (trigger !== undefined) shift(decision, tier, trigger);
  }
}

/** The sweep is the backstop: it looks whatever happened. */
const wakes = ({ command, events }: Decision): boolean =>
  command.type === 'Sweep' || events.some((event) => WAKING.has(event.type));

/** After a change of capacity or configuration; and while anything drains the sweep looks, too. */
const mayBeHopeless = ({ command, events, state }: Decision): boolean =>
  events.some(({ type }) => type === 'ConfigChanged' || type === 'CapacityObserved') ||
  (command.type === 'Sweep' && (state.draining || state.tiers.some(drains)));

const isWriterGone = ({ command }: Decision): boolean =>
  command.type === 'CancelOrphans' && command.data.reason === 'writerGone';

/** Before waiters are looked at, as a tier that has just recovered serves its own. */
function judgeOver(decision: Decision): void {
  const over = isOverallocated(decision.state);
  for (const tier of decision.state.tiers) {
    const trigger = overTrigger(decision.state, tier, over);
    if (trigger !== undefined) shift(decision, tier, trigger);
  }
}

const SWEEP: FollowUp = { type: 'Sweep', data: {} };

function wake(decision: Decision): void {
  for (;;) {
    const next = nextWaiter(decision.state);
    if (next === undefined) return;
    if (decision.room <= 0) {
      decision.follow(SWEEP);
      return;
    }
    const { tier, waiter, amounts } = next;
    grant(decision, tier, waiter, amounts, decision.at - waiter.queuedAt);
  }
}

/** Over all tiers: first who has the least that it accepts inside its tier's nominal, then who must borrow; each in rank order. */
function nextWaiter(state: PoolState): Found | undefined {
  let first: Found | undefined;
  for (const tier of state.tiers) {
    const waiter = tier.waiting.length > 0 && admits(tier) ? firstThatFits(state, tier) : undefined;
    if (waiter === undefined) continue;
    const borrows = !isInsideNominal(tier, state.numbered.demand(leastOf(waiter.request)));
    if (first !== undefined && !isSooner({ tier, waiter, borrows }, first)) continue;
    const amounts = grantable(state, tier, waiter, new Lenders(state, waiter));
    if (amounts !== null) first = { tier, waiter, amounts, borrows };
  }
  return first;
}

interface Candidate {
  readonly tier: TierState;
  readonly waiter: WaitingRecord;
  readonly borrows: boolean;
}

interface Found extends Candidate {
  readonly amounts: Amounts;
}

/** Who could be granted in several tiers is, in the first of them. */
const isSooner = (a: Candidate, b: Candidate): boolean =>
  a.borrows === b.borrows ? a.waiter !== b.waiter && rankIn(a.tier, a.waiter) < rankIn(b.tier, b.waiter) : !a.borrows;
