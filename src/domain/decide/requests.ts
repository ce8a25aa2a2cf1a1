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
import type { Turn } from './decision.ts';
import { refuse } from './refuse.ts';

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

/** So many waiters one command looks at for those without hope. */
const LOOKED_AT = 1_024;

/** Whoever waits for what cannot come is told so, in parts, in the order of their coming. */
export function cancelHopeless(turn: Turn, after = -1): Answer {
  const { state } = turn;
  const known = new Map<string, Hopeless | undefined>();
  let afterRevision = after;
  let left = LOOKED_AT;
  for (const waiter of [...first(state.arrivals.after(after), LOOKED_AT + 1)]) {
    if (turn.room <= 0 || left-- === 0) {
      turn.follow({ type: 'CancelHopeless', data: { afterRevision } });
      break;
    }
    const reason = hopeless(state, waiter, known);
    const { leaseId, request } = waiter;
    if (reason !== undefined) turn.emit('RequestCancelled', { leaseId, requestId: request.id, reason }, leaseId);
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

export function expireRequests(turn: Turn, { data }: CommandOf<'ExpireRequests'>): Answer {
  for (const leaseId of data.leaseIds) {
    const waiting = turn.state.waiting.get(leaseId);
    if (waiting !== undefined) turn.emit('RequestExpired', { leaseId, requestId: waiting.request.id }, leaseId);
  }
  return DONE;
}
