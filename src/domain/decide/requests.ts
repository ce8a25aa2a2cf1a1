import type { CommandOf, FollowUp } from '../../model/commands.ts';
import { standsAlone } from '../../model/request.ts';
import { type Answer, DONE } from '../answer.ts';
import { compilePlan, leastOf } from '../plan.ts';
import { drains, tiersOf } from '../queue.ts';
import { quotaCeiling } from '../quota.ts';
import { refuse } from '../refuse.ts';
import { leaseNamed, type PoolState, type WaitingRecord, waitersInOrder } from '../state.ts';
import type { Turn } from '../turn.ts';
import { requestView } from '../views.ts';

export function cancel(turn: Turn, { data }: CommandOf<'Cancel'>): Answer {
  const leaseId = leaseNamed(turn.state, data.requestId);
  const request = leaseId === undefined ? undefined : turn.state.waiting.get(leaseId);
  if (request === undefined) return refuse(turn, 'NOT_FOUND', `no request ${data.requestId} waits`);
  const { requestId } = data;
  const asItStood = requestView(turn.state, request);
  const cancelled = { leaseId: request.leaseId, requestId, reason: 'asked' } as const;
  turn.emit('RequestCancelled', turn.key === undefined ? cancelled : { ...cancelled, asItStood }, request.leaseId);
  return { kind: 'cancelled', request: asItStood, replayed: false };
}

/** Told by lease id: another request may bear the same name by now. */
export function cancelOrphans(turn: Turn, { data }: CommandOf<'CancelOrphans'>): Answer {
  for (const leaseId of data.leaseIds) {
    const request = turn.state.waiting.get(leaseId)?.request;
    if (request !== undefined && !standsAlone(request))
      turn.emit('RequestCancelled', { leaseId, requestId: request.id, reason: data.reason }, leaseId);
  }
  return DONE;
}

const CANCEL_HOPELESS: FollowUp = { type: 'CancelHopeless', data: {} };

/** Whoever waits for what cannot come is told so, in the order of their coming. */
export function cancelHopeless(turn: Turn): Answer {
  for (const waiter of waitersInOrder(turn.state)) {
    const reason = hopeless(turn.state, waiter);
    if (reason === undefined) continue;
    if (turn.room <= 0) {
      turn.follow(CANCEL_HOPELESS);
      break;
    }
    const { leaseId, request } = waiter;
    turn.emit('RequestCancelled', { leaseId, requestId: request.id, reason }, leaseId);
  }
  return DONE;
}

function hopeless(state: PoolState, waiter: WaitingRecord): 'draining' | 'neverFits' | undefined {
  const { request } = waiter;
  const tiers = tiersOf(state, waiter);
  const possible = tiers.length > 0 && compilePlan(state, request).errors === null;
  if (!possible || quotaCeiling(state, request.owner, leastOf(request)) !== null) return 'neverFits';
  return state.draining || tiers.every(drains) ? 'draining' : undefined;
}

export function expireRequests(turn: Turn, { data }: CommandOf<'ExpireRequests'>): Answer {
  for (const leaseId of data.leaseIds) {
    const waiting = turn.state.waiting.get(leaseId);
    if (waiting !== undefined) turn.emit('RequestExpired', { leaseId, requestId: waiting.request.id }, leaseId);
  }
  return DONE;
}
