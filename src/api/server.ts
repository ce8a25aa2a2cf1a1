import type { Socket } from 'node:net';
import underPressure from '@fastify/under-pressure';
import Fastify, { type FastifyInstance } from 'fastify';
import type { PoolService } from '../manager/service.ts';
import { PoolError } from '../model/errors.ts';
import type { App } from './app.ts';
import { acceptJson } from './body.ts';
import { COMPILERS, checkRequests } from './checks.ts';
import { guard } from './guard.ts';
import { Lifetime } from './lifetime.ts';
import { answerUnknownRoutes } from './not-found.ts';
import { type ServerOptions, type Settings, settingsOf } from './options.ts';
import { poolErrorOf, problemOf, sendProblem } from './problems.ts';
import { answerRawError } from './raw-errors.ts';
import { untilServing } from './readiness.ts';
import { addRoutes } from './routes.ts';
import { SECURITY_HEADERS } from './security-headers.ts';

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
  const lifetime = new Lifetime(settings.limits.streams);
  const app = frame(settings);
  const sockets = socketsOf(app);
  answerErrors(app, service, settings);
  acceptJson(app);
  guard(app, settings, lifetime, SECURITY_HEADERS, untilServing(service));
  await protect(app, settings);
  answerUnknownRoutes(app);
  checkRequests(app);
  addRoutes(app, service, lifetime, settings.limits);
  serveDocument(app);
  app.addHook('preClose', (done) => {
    lifetime.stop();
    closeWhatFallsIdle(app, sockets);
    done();
  });
  return app;
}

/** Made when it is first asked for. */
function serveDocument(app: App): void {
  let text: Promise<string> | undefined;
  app.get('/openapi.json', async (_request, reply) => {
    text ??= import('./openapi.ts').then(({ openApiText }) => openApiText());
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

const IDLE_CHECK_MS = 20;

/**
 * A server that closes ends the connections that are idle then. Those whose answers come later fall idle later, and
 * those that were opened ahead and never used count as busy: both would keep it open.
 */
function closeWhatFallsIdle({ server }: App, sockets: ReadonlySet<Socket>): void {
  if (!server.listening) return;
  const timer = setInterval(() => {
    server.closeIdleConnections();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  }, IDLE_CHECK_MS);
  server.once('close', () => clearInterval(timer));
}

/** The connections that are open. */
function socketsOf({ server }: App): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function frame({ limits }: Settings): App {
  const app = Fastify({
    logger: false,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    bodyLimit: limits.bodyBytes,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    schemaController: { compilersFactory: COMPILERS },
    routerOptions: { maxParamLength: limits.paramLength },
    clientErrorHandler: answerRawError,
    frameworkErrors: (error, _request, reply) => {
      sendProblem(reply, problemOf(poolErrorOf(error)));
    },
    http: {
      headersTimeout: limits.headersTimeoutMs,
      connectionsCheckingInterval: limits.connectionsCheckMs,
      requireHostHeader: false,
    },
  });
  // A client that expects more than 100-continue gets an answer, not an empty 417 (RFC 9110, 10.1.1 allows either).
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
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

async function protect(app: App, { limits, rateLimit: rate }: Settings): Promise<void> {
  if (limits.eventLoopDelayMs > 0)
    await app.register(underPressure, {
      maxEventLoopDelay: limits.eventLoopDelayMs,
      // Release, renew and reads always pass: they are what ends an overload.
      pressureHandler: (request, _reply, type, value) =>
        request.routeOptions.config.shedsLoad === true ? Promise.reject(late(type, value)) : undefined,
    });
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

const late = (type: string, value: number | undefined): PoolError =>
  new PoolError('OVERLOADED', `the manager is overloaded: ${type} ${value?.toFixed(0)} ms`, {
    details: { retryAfterMs: 1_000 },
  });
