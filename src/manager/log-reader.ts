import { createHash } from 'node:crypto';
import { evolve } from '../domain/evolve.ts';
import { canonicalState } from '../domain/snapshot.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import { poolView, requestView } from '../domain/views.ts';
import { openEventStore } from '../eventstore/open.ts';
import { PoolError } from '../model/errors.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedAuditEvent, RecordedEvent, RecordedPoolEvent } from '../model/events.ts';
import { auditStream, poolStream } from '../model/ids.ts';
import type { EventFilter, Moment, PoolReader, StreamItem } from '../model/reading.ts';
import { eventPage } from '../projections/event-page.ts';
import { matches } from '../projections/filter.ts';
import { fold, rebuild } from '../projections/fold.ts';
import { LeasesProjection, leaseIdOf, ownerOf, readLease } from '../projections/leases.ts';
import { MetricsProjection } from '../projections/metrics.ts';
import { UtilizationProjection } from '../projections/utilization.ts';

export interface ReplayProgress {
  readonly events: number;
  readonly total: number;
}

export interface Replayed {
  readonly revision: number;
  readonly events: number;
  /** SHA-256 of the canonical JSON of the state at that revision. */
  readonly sha256: string;
}

/** What can be read of a pool's log without a manager, and the checks that only a whole log allows. */
export interface LogReader extends PoolReader {
  /** Folds the log from its beginning and rebuilds every projection. `verify` does it a second time and compares. */
  replay(options: {
    to?: number;
    verify?: boolean;
    onProgress?: (progress: ReplayProgress) => void;
  }): Promise<Replayed>;
  /** Reads every event of both streams, with the store's own checks, and folds the pool's: throws with the place of the damage. */
  check(onProgress?: (progress: ReplayProgress) => void): Promise<{ events: number; refusals: number }>;
  close(): Promise<void>;
}

/** Opens a log read-only, beside a running writer too. */
export async function openLogReader(url: string, poolId: string): Promise<LogReader> {
  return logReader(await openEventStore(url, { readOnly: true }), poolId);
}

export function logReader(store: EventStore, poolId: string): LogReader {
  const stream = poolStream(poolId);
  const audit = auditStream(poolId);
  const pool = (to = Number.MAX_SAFE_INTEGER) => pages<RecordedPoolEvent>(store, stream, 0, to);
  const now = () => stateUpTo(pool(), () => true);
  const head = (name: string) => lastRevision(store, name);

  return {
    async getPool(moment) {
      const state = moment === undefined ? await now() : await stateUpTo(pool(), within(moment));
      if (moment !== undefined) mustReach(state, moment, stream);
      return poolView(state);
    },
    getLease: async (leaseId) => readLease(await now(), leaseId),
    async listLeases(filter = {}) {
      const leases = new LeasesProjection();
      const state = await rebuild([leases], pool());
      return leases.list(state, filter);
    },
    async getRequest(requestId) {
      const state = await now();
      const waiting = state.waiting.get(leaseIdOf(state, requestId) ?? '');
      if (waiting === undefined) throw new PoolError('NOT_FOUND', `no request ${requestId} waits`);
      return requestView(state, waiting);
    },
    async listRequests() {
      const state = await now();
      return [...state.waiting.values()].map((record) => requestView(state, record));
    },
    async getUtilization() {
      const utilization = new UtilizationProjection();
      const state = await rebuild([utilization], pool());
      return utilization.view(state);
    },
    async pageEvents(filter, page) {
      const state = filter.owner === undefined ? emptyState() : await now();
      const source = (from: number, to: number) => pages<RecordedPoolEvent>(store, stream, from, to);
      return eventPage(source, await head(stream), filter, page, (leaseId) => ownerOf(state, leaseId));
    },
    async pageRefusals(filter, page) {
      const source = (from: number, to: number) => pages<RecordedAuditEvent>(store, audit, from, to);
      return eventPage(source, await head(audit), filter, page);
    },
    async *followEvents(filter, signal) {
      const state = filter.owner === undefined ? emptyState() : await now();
      yield* follow<RecordedPoolEvent>(store, stream, filter, signal, (leaseId) => ownerOf(state, leaseId));
    },
    followRefusals: (filter, signal) => follow<RecordedAuditEvent>(store, audit, filter, signal),
    async replay({ to, verify = false, onProgress = () => {} }) {
      const total = Math.min(to ?? Number.MAX_SAFE_INTEGER, await head(stream)) + 1;
      if (to !== undefined && to >= total)
        throw new PoolError('NOT_FOUND', `${stream}: there is no revision ${to} yet; the last is ${total - 1}`);
      const once = () => replayOnce(counted(pool(total - 1), total, onProgress));
      const first = await once();
      if (verify && (await once()).sha256 !== first.sha256)
        throw new PoolError('INTERNAL', `${stream}: two replays to revision ${first.revision} differ`);
      return first;
    },
    async check(onProgress = () => {}) {
      const total = (await head(stream)) + 1;
      const { events } = await replayOnce(counted(pool(), total, onProgress));
      let refusals = 0;
      for await (const page of pages(store, audit, 0)) refusals += page.length;
      return { events, refusals };
    },
    close: () => store.close(),
  };
}

async function* pages<E extends RecordedEvent>(
  store: EventStore,
  stream: string,
  from: number,
  to = Number.MAX_SAFE_INTEGER,
): AsyncIterable<readonly E[]> {
  for await (const page of store.read(stream, { from }) as AsyncIterable<readonly E[]>) {
    const last = page.at(-1);
    if (last !== undefined && last.revision > to) {
      yield page.filter((event) => event.revision <= to);
      return;
    }
    yield page;
  }
}

async function* counted<E>(
  source: AsyncIterable<readonly E[]>,
  total: number,
  onProgress: (progress: ReplayProgress) => void,
): AsyncIterable<readonly E[]> {
  let events = 0;
  for await (const page of source) {
    yield page;
    events += page.length;
    onProgress({ events, total });
  }
}

async function replayOnce(source: AsyncIterable<readonly RecordedPoolEvent[]>): Promise<Replayed> {
  const projections = [new LeasesProjection(), new MetricsProjection(), new UtilizationProjection()];
  const state = emptyState();
  let events = 0;
  for await (const page of source) {
    fold(state, projections, page);
    events += page.length;
  }
  return { revision: state.revision, events, sha256: createHash('sha256').update(canonicalState(state)).digest('hex') };
}

async function lastRevision(store: EventStore, stream: string): Promise<number> {
  for await (const page of store.read(stream, { direction: 'backward', limit: 1 })) return page[0]?.revision ?? -1;
  return -1;
}

const within =
  (moment: Moment) =>
  (event: RecordedPoolEvent): boolean =>
    'revision' in moment ? event.revision <= moment.revision : event.at <= moment.at;

async function stateUpTo(
  source: AsyncIterable<readonly RecordedPoolEvent[]>,
  includes: (event: RecordedPoolEvent) => boolean,
): Promise<PoolState> {
  const state = emptyState();
  for await (const page of source) {
    for (const event of page) {
      if (!includes(event)) return state;
      evolve(state, event);
    }
  }
  return state;
}

function mustReach(state: PoolState, moment: Moment, stream: string): void {
  const wanted = 'revision' in moment ? `revision ${moment.revision}` : `time ${moment.at}`;
  const missing = 'revision' in moment ? state.revision < moment.revision : state.revision < 0;
  if (missing)
    throw new PoolError('NOT_FOUND', `${stream}: there is no ${wanted}; the last revision read is ${state.revision}`);
}

async function* follow<E extends RecordedPoolEvent | RecordedAuditEvent>(
  store: EventStore,
  stream: string,
  filter: EventFilter,
  signal?: AbortSignal,
  owner?: (leaseId: string) => string | undefined,
): AsyncIterable<StreamItem<E>> {
  for await (const item of store.subscribe(stream, {
    from: filter.from ?? 0,
    ...(signal === undefined ? {} : { signal }),
  })) {
    if ('caughtUp' in item) {
      yield item;
      continue;
    }
    for (const event of item.events) {
      if (filter.to !== undefined && event.revision > filter.to) return;
      if (matches(event, filter, owner)) yield { event: event as unknown as E };
    }
  }
}
