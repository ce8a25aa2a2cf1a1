import { homesOf } from '../domain/queue/queue.ts';
import type { Ranked } from '../domain/queue/waiting-list.ts';
import { leaseNamed, type PoolState, type TierState, type WaitingRecord } from '../domain/state.ts';
import { requestView, waiterView } from '../domain/views.ts';
import { PoolError } from '../model/errors.ts';
import type { Page, RequestFilter } from '../model/reading.ts';
import type { RequestView } from '../model/views.ts';
import { pageBoundsBy } from './page.ts';

/** So many places in queues a page looks at, at most. */
const LOOKED_AT = 2_000;

/** Behind this request of a tier's queue, which need not stand there any more. */
interface Place {
  readonly tier: string;
  readonly request: Ranked;
}

/**
 * The requests that wait, each under the first of its tiers, tier by tier in the order of the queues. The cursor names the last
 * request that was looked at by what its rank depends on, so a page neither skips nor repeats a request that waits all the while,
 * whoever comes or goes, and whatever is cordoned, meanwhile; only a change of priorities, ageing or tiers ranks anew. A page costs the
 * same wherever it begins; it may be short, and even empty, and yet have a next one. Throws INVALID_REQUEST for a wrong cursor, or
 * one of a tier that is there no more.
 */
export function listRequests(state: PoolState, filter: RequestFilter): Page<RequestView> {
  const { after, limit } = pageBoundsBy(filter, (cursor) => parsePlace(state, cursor));
  const homeOf = homesOf(state);
  const items: RequestView[] = [];
  let looked = 0;
  let next = filter.cursor ?? null;
  for (const [tier, record, position] of waitersAfter(state, after)) {
    if (looked++ === LOOKED_AT) return { items, next };
    const home = homeOf(record);
    if (isFirstOf(state, tier, record) && isAskedFor(record, home, filter)) {
      if (items.length === limit) return { items, next };
      items.push(waiterView(state, home, record, home === tier ? position : undefined));
    }
    next = cursorOf(tier, record);
  }
  return { items, next: null };
}

function* waitersAfter({ tiers }: PoolState, after: Place | undefined): Generator<[TierState, WaitingRecord, number]> {
  const first = after === undefined ? 0 : tiers.findIndex(({ name }) => name === after.tier);
  for (const tier of tiers.slice(first)) {
    let position = tier.name === after?.tier ? placeBehind(tier, after.request) : 0;
    for (const record of tier.waiting.from(position)) yield [tier, record, position++];
  }
}

function placeBehind({ waiting }: TierState, request: Ranked): number {
  const place = waiting.placeOf(request);
  const [there] = waiting.from(place);
  return there?.leaseId === request.leaseId ? place + 1 : place;
}

/** Whether none of the tiers before this one could grant it too. */
const isFirstOf = ({ tiers }: PoolState, tier: TierState, record: WaitingRecord): boolean =>
  tiers.find(({ waiting }) => waiting.length > 0 && waiting.includes(record)) === tier;

const isAskedFor = ({ request }: WaitingRecord, home: TierState, { tier, owner }: RequestFilter): boolean =>
  (tier === undefined || home.name === tier) && (owner === undefined || request.owner === owner);

const SEPARATOR = '~';
const cursorOf = (tier: TierState, { leaseId, priority, queuedAt }: WaitingRecord): string =>
  [tier.name, queuedAt, priority, leaseId].join(SEPARATOR);

function parsePlace({ tiers }: PoolState, cursor: string): Place | undefined {
  const [tier, queuedAt, priority, leaseId, ...more] = cursor.split(SEPARATOR);
  if (leaseId === undefined || more.length > 0 || !/^\d{1,16}$/.test(queuedAt!)) return undefined;
  if (!tiers.some(({ name }) => name === tier)) return undefined;
  return { tier: tier!, request: { leaseId, priority: priority!, queuedAt: Number(queuedAt) } };
}

/** A waiting request by the caller's name for it, or by the id that its lease would have. Throws NOT_FOUND if none waits. */
export function readRequest(state: PoolState, id: string): RequestView {
  const record = state.waiting.get(leaseNamed(state, id) ?? id);
  if (record === undefined) throw new PoolError('NOT_FOUND', `no request ${id} waits`, { details: { requestId: id } });
  return requestView(state, record);
}
