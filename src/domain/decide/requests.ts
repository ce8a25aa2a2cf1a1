import type { CommandOf } from '../../model/commands.ts';
import { type Answer, DONE } from '../answer.ts';
import { refuse } from '../refuse.ts';
import { leaseNamed } from '../state.ts';
import type { Turn } from '../turn.ts';

export function cancel(turn: Turn, { data }: CommandOf<'Cancel'>): Answer {
  const leaseId = leaseNamed(turn.state, data.requestId);
  const request = leaseId === undefined ? undefined : turn.state.waiting.get(leaseId);
  if (request === undefined) return refuse(turn, 'NOT_FOUND', `no request ${data.requestId} waits`);
  turn.emit(
    'RequestCancelled',
    { leaseId: request.leaseId, requestId: data.requestId, reason: data.reason },
    request.leaseId,
  );
  return { kind: 'cancelled', request };
}

export function expireRequests(turn: Turn, { data }: CommandOf<'ExpireRequests'>): Answer {
  for (const leaseId of data.leaseIds) {
    const waiting = turn.state.waiting.get(leaseId);
    if (waiting !== undefined) turn.emit('RequestExpired', { leaseId, requestId: waiting.request.id }, leaseId);
  }
  return DONE;
}
