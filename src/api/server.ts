import { createServer } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { PoolService } from '../manager/service.ts';
import { PoolError } from '../model/errors.ts';
import type { App } from './app.ts';
import { doorTo } from './door.ts';
import { acceptJson } from './http/body.ts';
import { COMPILERS, checkRequests } from './http/checks.ts';
import { Connections } from './http/connections.ts';
import { guard } from './http/guard.ts';
import { LoopDelay } from './http/loop-delay.ts';
import { answerUnknownRoutes } from './http/not-found.ts';
import { poolErrorOf, problemOf, sendProblem } from './http/problems.ts';
import { answerRawError } from './http/raw-errors.ts';
import { SECURITY_HEADERS } from './http/security-headers.ts';
import { type ServerOptions, type Settings, settingsOf } from './options.ts';
import type { ReaderBudget } from './readers/reader-budget.ts';
import { untilServing } from './readiness.ts';
import { addRoutes } from './routes.ts';

export type { ServerOptions } from './options.ts';

export interface RunningServer {
  /** Where it answers, such as http://127.0.0.1:7070. */
  readonly url: string;
  /**
   * Stops: no new connections; new requests are answered 503; waits and streams end; what is in flight finishes, for at
   * most `limits.closeMs`. Never waits for leases.
   */
  close(): Promise<void>;
}

/** The service over HTTP, not listening yet. Throws INVALID_CONFIG for a host that is not loopback. */
export async function buildServer(service: PoolService, options: ServerOptions = {}): Promise<App> {
  const settings = settingsOf(options);
  const door = doorTo(service, settings.limits);
  const connections = new Connections(settings.limits, door.budget);
  const app = frame(settings, connections);
  answerErrors(app, service, settings);
  acceptJson(app);
  guard(app, settings, door.lifetime, SECURITY_HEADERS, untilServing(service));
  await protect(app, settings);
  boundReaders(app, door.budget);
  answerUnknownRoutes(app);
  checkRequests(app);
  addRoutes(app, service, door);
  serveDocument(app);
  app.addHook('preClose', (done) => {
    door.lifetime.stop();
    connections.close();
    done();
  });
  app.addHook('onClose', (_app, done) => {
    connections.stop();
    done();
  });
  return app;
}

/** Made when it is first asked for. */
function serveDocument(app: App): void {
  let text: Promise<Buffer> | undefined;
  app.get('/openapi.json', async (_request, reply) => {
    text ??= import('./openapi.ts').then(async ({ openApiText }) => Buffer.from(await openApiText()));
    return reply.type('application/json; charset=utf-8').send(await text);
  });
}

export async function startServer(service: PoolService, options: ServerOptions = {}): Promise<RunningServer> {
  const { host, port, limits } = settingsOf(options);
  const app = await buildServer(service, options);
  const url = await app.listen({ host, port });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    const cut = setTimeout(() => app.server.closeAllConnections(), limits.closeMs);
    await app.close().finally(() => clearTimeout(cut));
  };
  return {
    url,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

function frame({ limits }: Settings, connections: Connections): App {
  const http = {
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    connectionsCheckingInterval: limits.connectionsCheckMs,
    requireHostHeader: false,
  };
  const app = Fastify({
    logger: false,
    serverFactory: (handle) => {
      const server = createServer(http);
      connections.serve(server, handle);
      // A client that expects more than 100-continue gets an answer, not an empty 417 (RFC 9110, 10.1.1 allows either).
      server.on('checkExpectation', (request, response) => server.emit('request', request, response));
      return server;
    },
    bodyLimit: limits.bodyBytes,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    schemaController: { compilersFactory: COMPILERS },
    routerOptions: { maxParamLength: limits.paramLength },
    clientErrorHandler: (error, socket) => connections.unreadable(socket, () => answerRawError(error, socket)),
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, problemOf(poolErrorOf(error)));
    },
  });
  return app as unknown as App;
}

/** Whatever goes wrong is answered as a problem; a bug is logged, and says no more than where the log stood and an id. */
function answerErrors(app: FastifyInstance | App, service: PoolService, { logger }: Settings): void {
  app.setErrorHandler(async (thrown, request, reply) => {
    const error = poolErrorOf(thrown);
    const problem = problemOf(error);
    if (error.code !== 'INTERNAL') return sendProblem(reply, problem);
    const revision = await service.getPool().then(
      (pool) => pool.revision,
      () => null,
    );
    logger.error({ err: thrown, method: request.method, url: request.url, revision, ...error.details }, error.message);
    return sendProblem(reply, { ...problem, revision });
  });
}

/** Release, renew and reads always pass a late loop: they are what ends an overload. */
function shedWhenLate(app: App, limitMs: number): void {
  const loop = new LoopDelay();
  app.addHook('onClose', (_app, done) => {
    loop.stop();
    done();
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (loop.delayMs <= limitMs || request.routeOptions.config.shedsLoad !== true) return done();
    const detail = `the manager is overloaded: its event loop is ${loop.delayMs.toFixed(0)} ms late`;
    done(new PoolError('OVERLOADED', detail, { details: { retryAfterMs: 1_000 } }));
  });
}

async function protect(app: App, { limits, rateLimit: rate }: Settings): Promise<void> {
  if (limits.eventLoopDelayMs > 0) shedWhenLate(app, limits.eventLoopDelayMs);
  if (rate === undefined) return;
  await app.register(import('@fastify/rate-limit'), {
    max: rate.max,
    timeWindow: rate.windowMs,
    errorResponseBuilder: (_request, { max, ttl }) =>
      new PoolError('RATE_LIMITED', `more than ${max} requests in ${rate.windowMs} ms`, {
        details: { retryAfterMs: ttl },
      }),
  });
}

/** Answers that are large, or may be: they are counted until they are taken, and none is begun while readers hold too much. */
function boundReaders(app: App, budget: ReaderBudget): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (isRead(request)) budget.requireRoom();
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (typeof payload === 'string' || Buffer.isBuffer(payload)) budget.addAnswer(reply.raw, payload.length);
    done(null, payload);
  });
}

/** What says how the service is, and what is asked of one thing, is always answered: it is small. */
const SMALL = new Set(['/livez', '/readyz', '/v1/leases/:id', '/v1/requests/:id']);

const isRead = ({ method, routeOptions }: FastifyRequest): boolean =>
  method === 'GET' && !SMALL.has(routeOptions.url ?? '');
