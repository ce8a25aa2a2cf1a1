import type { Command } from '../model/commands.ts';
import { allocate } from './decide/allocate.ts';
import { type Answer, type Decided, type DecisionContext, DONE } from './decide/answer.ts';
import { EVENTS_AT_ONCE, Turn } from './decide/decision.ts';
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
  const turn = new Turn(state, command, journal, eventsAtOnce);
  const answer = repeated(turn, command) ?? answerTo(turn, command, context);
  turn.key = undefined; // what follows of itself is not what was asked for
  if (answer.kind !== 'refused') react(turn);
  return { events: turn.events, leases: turn.leases, answer, more: turn.more };
}

function answerTo(turn: Turn, command: Command, context: DecisionContext): Answer {
  switch (command.type) {
    case 'Allocate':
      return allocate(turn, command, context);
    case 'Release':
      return release(turn, command);
    case 'Renew':
      return renew(turn, command);
    case 'Revoke':
      return revoke(turn, command);
    case 'CancelOrphans':
      return cancelOrphans(turn, command);
    case 'Cancel':
      return cancel(turn, command);
    case 'ReclaimExpired':
      return reclaimExpired(turn, command);
    case 'EndNoticed':
      return endNoticed(turn, command);
    case 'ExpireRequests':
      return expireRequests(turn, command);
    case 'EndQuarantine':
      return endQuarantine(turn, command);
    case 'ObserveClockGap':
      return observeClockGap(turn, command, context.writerId);
    case 'OpenPool':
      return openPool(turn, command);
    case 'RaiseTokenFloor':
      return raiseTokenFloor(turn, command);
    case 'MarkWriter':
      return markWriter(turn, command);
    case 'StartWriter':
      return startWriter(turn, command);
    case 'Configure':
      return configure(turn, command);
    case 'ObserveCapacity':
      return observeCapacity(turn, command);
    case 'ObserveHealth':
      return observeHealth(turn, command);
    case 'CordonTier':
      return cordonTier(turn, command);
    case 'UncordonTier':
      return uncordonTier(turn, command);
    case 'DrainTier':
      return drainTier(turn, command);
    case 'EndTierDrain':
      return endTierDrain(turn, command);
    case 'DrainPool':
      return drainPool(turn, command);
    case 'EndPoolDrain':
      return endPoolDrain(turn);
    case 'TriggerBreaker':
      return triggerBreaker(turn, command, context.writerId);
    case 'CancelHopeless':
      return cancelHopeless(turn, command.data.afterRevision);
    case 'Sweep':
    case 'JudgeLoad':
      return DONE; // the reactions judge every tier's load
  }
}
