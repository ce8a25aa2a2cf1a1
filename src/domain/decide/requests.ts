import type { CommandOf } from '../../model/commands.ts';
import { standsAlone } from '../../model/request.ts';
import { compilePlan } from '../plan.ts';
import { kindOf } from '../queue/arrivals.ts';
import { leastOf } from '../queue/least.ts';
import { drains, tiersOf } from '../queue/queue.ts';
import { quotaCeiling } from '../quota.ts';
import { leaseNamed, type PoolState, type WaitingRecord } from '../state.ts';
import { requestView } from '../views.ts';
import { type Answer, DONE } from './answer.ts';
import type { Decision } from './decision.ts';
import { refuse } from './refuse.ts';

export function cancel(decision: Decision, { data }: CommandOf<'Cancel'>): Answer {
  const leaseId = leaseNamed(decision.state, data.requestId);
  const request = leaseId === undefined ? undefined : decision.state.waiting.get(leaseId);
  if (request === undefined) return refuse(decision, 'NOT_FOUND', `no request ${data.requestId} waits`);
  const { requestId } = data;
  const asItStood = requestView(decision.state, request);
  const cancelled = { leaseId: request.leaseId, requestId, reason: 'asked' } as const;
  decision.emit(
    'RequestCancelled',
    decision.key === undefined ? cancelled : { ...cancelled, asItStood },
    request.leaseId,
  );
  return { kind: 'cancelled', request: asItStood, replayed: false };
}

/** Told by lease id: another request may bear the same name by now. */
export function cancelOrphans(decision: Decision, { data }: CommandOf<'CancelOrphans'>): Answer {
  for (const leaseId of data.leaseIds) {
    const request = decision.state.waiting.get(leaseId)?.request;
    if (request !== undefined && !standsAlone(request))
      decision.emit('RequestCancelled', { leaseId, requestId: request.id, reason: data.reason }, leaseId);
  }
  return DONE;
}

/** So many waiters one command looks at for those without hope. */
const LOOKED_AT = 1_024;

/** Whoever waits for what cannot come is told so, in parts, in the order of their coming. */
export function cancelHopeless(decision: Decision, after = -1): Answer {
  const { state } = decision;
  const known = new Map<string, Hopeless | undefined>();
  let afterRevision = after;
  let left = LOOKED_AT;
  for (const waiter of [...first(state.arrivals.after(after), LOOKED_AT + 1)]) {
    if (decision.room <= 0 || left-- === 0) {
      decision.follow({ type: 'CancelHopeless', data: { afterRevision } });
      break;
    }
    const reason = hopeless(state, waiter, known);
    const { leaseId, request } = waiter;
    if (reason !== undefined) decision.emit('RequestCancelled', { leaseId, requestId: request.id, reason }, leaseId);
    afterRevision = waiter.revision;
  }
  return DONE;
}

function* first<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}

type Hopeless = 'draining' | 'neverFits';

/** Asked once of those who want the same on the same terms. */
function hopeless(state: PoolState, waiter: WaitingRecord, known: Map<string, Hopeless | undefined>) {
  const { request } = waiter;
  const owner = state.owners.has(request.owner) ? request.owner : '';
  const alike = `${kindOf(waiter)} ${request.priority} ${request.ttlMs} ${owner}`;
  if (!known.has(alike)) known.set(alike, judge(state, waiter));
  return known.get(alike);
}

function judge(state: PoolState, waiter: WaitingRecord): Hopeless | undefined {
  const { request } = waiter;
  const tiers = tiersOf(state, waiter);
  const possible = tiers.length > 0 && compilePlan(state, request).errors === null;
  if (!possible || quotaCeiling(state, request.owner, leastOf(request)) !== null) return 'neverFits';
  return state.draining || tiers.every(drains) ? 'draining' : undefined;
}

export function expireRequests(decision: Decision, { data }: CommandOf<'ExpireRequests'>): Answer {
  for (const leaseId of data.leaseIds) {
    const waiting = decision.state.waiting.get(leaseId);
    if (waiting !== undefined) decision.emit('RequestExpired', { leaseId, requestId: waiting.request.id }, leaseId);
  }
  return DONE;
}
