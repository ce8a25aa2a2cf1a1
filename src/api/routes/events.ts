import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PoolService } from '../../manager/service.ts';
import { type FieldError, invalid } from '../../model/errors.ts';
import { type RecordedEvent, SCHEMA_VERSIONS } from '../../model/events.ts';
import type { EventFilter, Page, StreamItem } from '../../model/reading.ts';
import { formatOf } from '../accept.ts';
import type { App } from '../app.ts';
import type { Lifetime } from '../lifetime.ts';
import { ndjsonLines } from '../ndjson.ts';
import type { Limits } from '../options.ts';
import { EventsQuery, StreamHeaders } from '../schemas.ts';
import { type Bounds, streamEvents } from '../sse.ts';
import { linkNext } from './leases.ts';

/** A log that can be paged and followed. */
interface Log {
  readonly page: (filter: EventFilter, page: { cursor?: string; limit?: number }) => Promise<Page<RecordedEvent>>;
  readonly follow: (filter: EventFilter, signal: AbortSignal) => AsyncIterable<StreamItem<RecordedEvent>>;
}

interface Door {
  readonly log: Log;
  readonly lifetime: Lifetime;
  readonly limits: Limits;
}

const DESCRIPTION = `Three ways, by Accept: a page (application/json, the next one under \`Link: rel="next"\`), the whole as lines (application/x-ndjson), or live (text/event-stream).
Live: history from \`from\` (default the first event that is kept), then what is committed, without gap or duplicate; \`id\` is the revision, and Last-Event-ID resumes after it.
Each \`data\` is a CloudEvents 1.0 JSON event: type "resource-pool-manager.<event type>", source "/streams/<stream>", subject the lease, sequence the revision.
An event named caughtUp marks that history has been delivered, and comes again after a slow reader has caught up; one named error carries a problem; one named end says that \`to\` was reached. Comments are heartbeats.`;

export function eventRoutes(app: App, service: PoolService, lifetime: Lifetime, limits: Limits): void {
  const events: Log = {
    page: (filter, page) => service.pageEvents(filter, page),
    follow: (filter, signal) => service.followEvents(filter, signal),
  };
  const refusals: Log = {
    page: (filter, page) => service.pageRefusals(filter, page),
    follow: (filter, signal) => service.followRefusals(filter, signal),
  };
  logRoute(app, '/v1/events', "The pool's events", { log: events, lifetime, limits });
  logRoute(app, '/v1/refusals', 'The refusals: the audit stream', { log: refusals, lifetime, limits });
}

function logRoute(app: App, url: string, summary: string, door: Door): void {
  const forms = {
    description: 'A page, lines, or a live stream',
    content: {
      'application/json': { schema: { $ref: 'EventPage#' } },
      'application/x-ndjson': { schema: { type: 'string' } },
      'text/event-stream': { schema: { type: 'string' } },
    },
  };
  const schema = {
    tags: ['events'],
    summary,
    description: DESCRIPTION,
    querystring: EventsQuery,
    headers: StreamHeaders,
    response: { 200: forms, 204: { type: 'null', description: 'Nothing is left up to `to`' } },
  };
  app.get(url, { schema }, async (request, reply) => {
    const filter = filterOf(request.query);
    reply.header('vary', 'accept');
    const format = request.method === 'GET' ? formatOf(request.headers.accept) : 'json';
    if (format === 'sse') {
      await mustBeKept(filter, door.log);
      return live(request, reply, filter, door);
    }
    if (format === 'ndjson') return lines(reply, request.query, filter, door.log);
    const page = await door.log.page(filter, pageOf(request.query));
    linkNext(request, reply, page.next);
    return reply.type('application/json; charset=utf-8').send(page);
  });
}

const TYPES = new Set(Object.keys(SCHEMA_VERSIONS));

function filterOf({ from, to, type, lease, owner }: EventsQuery): EventFilter {
  const types = type?.split(',');
  const errors: FieldError[] = (types ?? [])
    .filter((name) => !TYPES.has(name))
    .map((value) => ({ path: 'query.type', value, allowed: [...TYPES].join(', ') }));
  if (from !== undefined && to !== undefined && to < from)
    errors.push({ path: 'query.to', value: to, allowed: `a revision from ${from} (query.from)` });
  if (errors.length > 0) throw invalid(errors);
  return {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(types === undefined ? {} : { types }),
    ...(lease === undefined ? {} : { leaseId: lease }),
    ...(owner === undefined ? {} : { owner }),
  };
}

const pageOf = ({ cursor, limit }: EventsQuery) => ({
  ...(cursor === undefined ? {} : { cursor }),
  ...(limit === undefined ? {} : { limit }),
});

function lines(reply: FastifyReply, query: EventsQuery, filter: EventFilter, log: Log): FastifyReply {
  const start = query.cursor === undefined ? {} : { cursor: query.cursor };
  const pageAt = (page: { cursor?: string; limit: number }) => log.page(filter, { ...start, ...page });
  return reply.type('application/x-ndjson; charset=utf-8').send(Readable.from(ndjsonLines(pageAt, query.limit)));
}

/** Throws NOT_FOUND while there is still an answer to be given: a stream has its status before its first event. */
async function mustBeKept({ from }: EventFilter, log: Log): Promise<void> {
  if (from !== undefined) await log.page({ from, to: from }, { limit: 1 });
}

/** The stream goes on after this answers: the connection is its own from here on. */
function live(
  request: FastifyRequest,
  reply: FastifyReply,
  filter: EventFilter,
  { log, lifetime, limits }: Door,
): FastifyReply {
  refusePaging(request.query as EventsQuery);
  const last = request.headers['last-event-id'] as string | undefined;
  const from = last === undefined ? filter.from : Number(last) + 1;
  if (filter.to !== undefined && (from ?? 0) > filter.to) return reply.code(204).send();
  const { signal, close } = lifetime.openStream(reply);
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  const heartbeat = setInterval(() => raw.write(': heartbeat\n\n'), limits.heartbeatMs).unref();
  const bounds: Bounds = { events: limits.streamEvents, bytes: limits.streamBytes };
  const follow = (next: number | undefined, gone: AbortSignal) =>
    log.follow({ ...filter, ...(next === undefined ? {} : { from: next }) }, gone);
  void streamEvents(raw, { follow, from }, bounds, signal).finally(() => {
    clearInterval(heartbeat);
    close();
  });
  return reply;
}

function refusePaging(query: EventsQuery): void {
  const errors = (['cursor', 'limit'] as const)
    .filter((name) => query[name] !== undefined)
    .map((name) => ({ path: `query.${name}`, value: query[name], allowed: 'nothing: a live stream has no pages' }));
  if (errors.length > 0) throw invalid(errors);
}
