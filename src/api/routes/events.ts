import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PoolService } from '../../manager/service.ts';
import { type FieldError, invalid, isPoolError } from '../../model/errors.ts';
import { type RecordedEvent, SCHEMA_VERSIONS } from '../../model/events.ts';
import type { EventFilter, Page, PageOptions } from '../../model/reading.ts';
import type { App } from '../app.ts';
import type { Door } from '../door.ts';
import { formatOf } from '../http/accept.ts';
import { FanOut } from '../readers/fan-out.ts';
import { Export } from '../readers/ndjson.ts';
import { Outlet } from '../readers/outlet.ts';
import { untilGone } from '../readers/over.ts';
import { sendPage } from '../readers/page.ts';
import { seated } from '../readers/seats.ts';
import { type Follow, streamEvents } from '../readers/sse.ts';
import { EventsQuery, StreamHeaders } from '../schemas.ts';

/** A log that can be paged and followed, and those who follow it. */
interface Log {
  readonly page: (filter: EventFilter, page: PageOptions) => Promise<Page<RecordedEvent>>;
  readonly follow: Follow;
  readonly fanOut: FanOut;
}

const DESCRIPTION = `Three ways, by Accept: a page (application/json, the next one under \`Link: rel="next"\`), the whole as lines (application/x-ndjson), or live (text/event-stream).
Live: history from \`from\` (default the first event that is kept), then what is committed, without gap or duplicate; \`id\` is the revision, and Last-Event-ID resumes after it.
Each \`data\` is a CloudEvents 1.0 JSON event: type "resource-pool-manager.<event type>", source "/streams/<stream>", subject the lease, sequence the revision.
An event named caughtUp marks that history has been delivered, and comes again after a slow reader has caught up; one named error carries a problem; one named end says that \`to\` was reached. Comments are heartbeats.`;

export function eventRoutes(app: App, service: PoolService, door: Door): void {
  const { limits, budget } = door;
  const bounds = { events: limits.streamEvents, bytes: limits.streamBytes };
  const events: Log = {
    page: (filter, page) => service.pageEvents(filter, page),
    follow: (filter, signal) => service.followEvents(filter, signal),
    fanOut: new FanOut(bounds, budget),
  };
  const refusals: Log = {
    page: (filter, page) => service.pageRefusals(filter, page),
    follow: (filter, signal) => service.followRefusals(filter, signal),
    fanOut: new FanOut(bounds, budget),
  };
  logRoute(app, '/v1/events', "The pool's events", events, door);
  logRoute(app, '/v1/refusals', 'The refusals: the audit stream', refusals, door);
}

function logRoute(app: App, url: string, summary: string, log: Log, door: Door): void {
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
      await mustBeKept(filter, log, untilGone(reply.raw));
      return live(request, reply, filter, log, door);
    }
    if (format === 'ndjson') return lines(reply, request.query, filter, log, door);
    const { cursor, limit } = request.query;
    const start = cursor === undefined ? {} : { cursor };
    return seated(door.longReads, () =>
      sendPage(request, reply, limit, (most, signal) =>
        log.page(filter, { ...start, ...(most !== undefined && { limit: most }), signal }),
      ),
    );
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

/** What is wrong is answered as a problem; then the connection is the export's own. */
async function lines(
  reply: FastifyReply,
  query: EventsQuery,
  filter: EventFilter,
  log: Log,
  { lifetime, budget, longReads, catchUps, pace }: Door,
): Promise<FastifyReply> {
  const { signal, close } = lifetime.openStream(reply);
  const pages = new Export((page) => log.page(filter, { ...page, signal }), query.limit);
  await seated(longReads, () => pages.read(query.cursor));
  signal.throwIfAborted();
  const outlet = new Outlet(takeOver(reply, { 'content-type': 'application/x-ndjson; charset=utf-8' }), budget);
  signal.addEventListener('abort', () => outlet.cut());
  void pages
    .writeTo(outlet, catchUps, pace)
    .then(
      () => outlet.end(),
      () => outlet.cut(), // the reader sees that it is not whole
    )
    .finally(close);
  return reply;
}

/** Throws NOT_FOUND while there is still an answer to be given: a stream has its status before its first event. */
async function mustBeKept({ from }: EventFilter, log: Log, signal: AbortSignal): Promise<void> {
  if (from !== undefined) await log.page({ from, to: from }, { limit: 1, signal });
}

/** Whether the log has an event of that revision, and keeps it. */
const has = (log: Log, revision: number, signal: AbortSignal): Promise<boolean> =>
  log.page({ from: revision, to: revision }, { limit: 1, signal }).then(
    ({ items }) => items.length > 0,
    (error: unknown) => {
      if (isPoolError(error) && error.code === 'NOT_FOUND') return false;
      throw error;
    },
  );

/** The stream goes on after this answers: the connection is its own from here on. */
function live(
  request: FastifyRequest,
  reply: FastifyReply,
  filter: EventFilter,
  log: Log,
  { lifetime, limits, budget, catchUps, pace }: Door,
): FastifyReply {
  refusePaging(request.query as EventsQuery);
  const last = request.headers['last-event-id'] as string | undefined;
  const from = last === undefined ? filter.from : Number(last) + 1;
  if (filter.to !== undefined && (from ?? 0) > filter.to) return reply.code(204).send();
  const { signal, close } = lifetime.openStream(reply);
  const outlet = new Outlet(takeOver(reply, STREAM_HEADERS), budget);
  const heartbeat = setInterval(() => {
    if (outlet.isClear) outlet.write(': heartbeat\n\n');
  }, limits.heartbeatMs).unref();
  const { follow, fanOut } = log;
  const source = { follow, has: (revision: number) => has(log, revision, signal), filter, fanOut, catchUps, pace };
  void streamEvents(outlet, source, from, signal).finally(() => {
    clearInterval(heartbeat);
    close();
  });
  return reply;
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** The response, its head sent, for whoever writes the rest. */
function takeOver(reply: FastifyReply, headers: Readonly<Record<string, string>>): ServerResponse {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries({ ...reply.getHeaders(), ...headers }))
    if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200);
  raw.flushHeaders();
  return raw;
}

function refusePaging(query: EventsQuery): void {
  const errors = (['cursor', 'limit'] as const)
    .filter((name) => query[name] !== undefined)
    .map((name) => ({ path: `query.${name}`, value: query[name], allowed: 'nothing: a live stream has no pages' }));
  if (errors.length > 0) throw invalid(errors);
}
