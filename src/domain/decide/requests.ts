import type { CommandOf } from '../../model/commands.ts';
import { standsAlone } from '../../model/request.ts';
import { type Answer, DONE } from '../answer.ts';
import { refuse } from '../refuse.ts';
import { leaseNamed } from '../state.ts';
import type { Turn } from '../turn.ts';
import { requestView } from '../views.ts';

export function cancel(turn: Turn, { data }: CommandOf<'Cancel'>): Answer {
  const leaseId = leaseNamed(turn.state, data.requestId);
  const request = leaseId === undefined ? undefined : turn.state.waiting.get(leaseId);
  if (request === undefined) return refuse(turn, 'NOT_FOUND', `no request ${data.requestId} waits`);
  const { requestId } = data;
  const asItStood = requestView(turn.state, request);
  turn.emit('RequestCancelled', { leaseId: request.leaseId, requestId, reason: 'asked' }, request.leaseId);
  return { kind: 'cancelled', request: asItStood };
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

export function expireRequests(turn: Turn, { data }: CommandOf<'ExpireRequests'>): Answer {
  for (const leaseId of data.leaseIds) {
    const waiting = turn.state.waiting.get(leaseId);
    if (waiting !== undefined) turn.emit('RequestExpired', { leaseId, requestId: waiting.request.id }, leaseId);
  }
  return DONE;
}
