import type { Command } from '../model/commands.ts';
import { allocate } from './decide/allocate.ts';
import { type Answer, type Decided, type DecisionContext, DONE } from './decide/answer.ts';
import { Decision, EVENTS_AT_ONCE } from './decide/decision.ts';
import { endNoticed, endQuarantine, observeClockGap, reclaimExpired, release, renew, revoke } from './decide/lease.ts';
import {
  configure,
  drainPool,
  endPoolDrain,
  markWriter,
  observeCapacity,
  observeHealth,
  openPool,
  raiseTokenFloor,
  startWriter,
  triggerBreaker,
} from './decide/pool.ts';
import { react } from './decide/react.ts';
import { repeated } from './decide/repeat.ts';
import { cancel, cancelHopeless, cancelOrphans, expireRequests } from './decide/requests.ts';
import { cordonTier, drainTier, endTierDrain, uncordonTier } from './decide/tiers.ts';
import type { Journal } from './ledger/journal.ts';
import type { PoolState } from './state.ts';

export type { Answer, Decided, DecisionContext } from './decide/answer.ts';

/**
 * What becomes of a command: events, which are folded into the state at once (and noted in the journal, so that they can
 * be undone), an answer, and what is left to be decided when that is committed, if one command would cause very many events
 * (about `eventsAtOnce`). A refusal is an answer without events.
 */
export function decide(
  state: PoolState,
  command: Command,
  context: DecisionContext,
  journal?: Journal,
  eventsAtOnce: number = EVENTS_AT_ONCE,
): Decided {
  const decision = new Decision(state, command, journal, eventsAtOnce);
  const answer = repeated(decision, command) ?? answerTo(decision, command, context);
  decision.key = undefined; // what follows of itself is not what was asked for
  if (answer.kind !== 'refused') react(decision);
  return { events: decision.events, leases: decision.leases, answer, more: decision.more };
}

function answerTo(decision: Decision, command: Command, context: DecisionContext): Answer {
  switch (command.type) {
    case 'Allocate':
      return allocate(decision, command, context);
    case 'Release':
      return release(decision, command);
    case 'Renew':
      return renew(decision, command);
    case 'Revoke':
      return revoke(decision, command);
    case 'CancelOrphans':
      return cancelOrphans(decision, command);
    case 'Cancel':
      return cancel(decision, command);
    case 'ReclaimExpired':
      return reclaimExpired(decision, command);
    case 'EndNoticed':
      return endNoticed(decision, command);
    case 'ExpireRequests':
      return expireRequests(decision, command);
    case 'EndQuarantine':
      return endQuarantine(decision, command);
    case 'ObserveClockGap':
      return observeClockGap(decision, command, context.writerId);
    case 'OpenPool':
      return openPool(decision, command);
    case 'RaiseTokenFloor':
      return raiseTokenFloor(decision, command);
    case 'MarkWriter':
      return markWriter(decision, command);
    case 'StartWriter':
      return startWriter(decision, command);
    case 'Configure':
      return configure(decision, command);
    case 'ObserveCapacity':
      return observeCapacity(decision, command);
    case 'ObserveHealth':
      return observeHealth(decision, command);
    case 'CordonTier':
      return cordonTier(decision, command);
    case 'UncordonTier':
      return uncordonTier(decision, command);
    case 'DrainTier':
      return drainTier(decision, command);
    case 'EndTierDrain':
      return endTierDrain(decision, command);
    case 'DrainPool':
      return drainPool(decision, command);
    case 'EndPoolDrain':
      return endPoolDrain(decision);
    case 'TriggerBreaker':
      return triggerBreaker(decision, command, context.writerId);
    case 'CancelHopeless':
      return cancelHopeless(decision, command.data.afterRevision);
    case 'Sweep':
    case 'JudgeLoad':
      return DONE; // the reactions judge every tier's load
  }
}
