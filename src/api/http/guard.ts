import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalid, PoolError } from '../../model/errors.ts';
import { type Lifetime, stopped } from '../lifetime.ts';
import { isLoopback, type Settings } from '../options.ts';

/** Routes that answer while the pool recovers and while the server stops. */
const ALWAYS = new Set(['/livez', '/readyz', '/openapi.json']);

/**
 * Refuses before anything is read: what came for another host (DNS rebinding, and pages of other origins that post to
 * this machine), everything while the pool recovers or stands by, and everything new while the server stops. Every answer
 * carries the security headers.
 */
export function guard(
  app: FastifyInstance,
  settings: Settings,
  lifetime: Lifetime,
  headers: Readonly<Record<string, string>>,
  before: () => PoolError | undefined,
): void {
  const seen = new Map<string, boolean>();
  const isOurs = (host: string): boolean => {
    let known = seen.get(host);
    if (known === undefined) {
      known = allows(settings, hostNameOf(host));
      if (seen.size < 1_000) seen.set(host, known);
    }
    return known;
  };
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers);
    const refusal = refusalOf(request, isOurs);
    if (refusal !== undefined) return done(refusal);
    if (ALWAYS.has(request.routeOptions.url ?? '')) return done();
    if (lifetime.stopping) {
      reply.header('connection', 'close');
      return done(stopped());
    }
    done(before());
  });
}

function refusalOf(request: FastifyRequest, isOurs: (host: string) => boolean): PoolError | undefined {
  const { host, origin } = request.headers;
  if (host === undefined || host === '')
    return invalid([{ path: 'headers.host', value: host, allowed: 'the host that is asked (RFC 9112, 3.2)' }]);
  if (!isOurs(host))
    return new PoolError('FORBIDDEN', `this server does not answer for the host ${host.slice(0, 100)}`);
  if (origin !== undefined && !isOurs(origin.replace(/^[a-z]+:\/\//, '')))
    return new PoolError('FORBIDDEN', `pages of ${origin.slice(0, 100)} may not use this server`);
  return undefined;
}

/** `name`, `name:port`, `[v6]:port`; in lower case. */
const hostNameOf = (host: string): string => host.toLowerCase().replace(/:\d*$/, '');

const allows = (settings: Settings, name: string): boolean => isLoopback(name) || settings.allowedHosts.includes(name);
