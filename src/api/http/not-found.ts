import type { FastifyInstance } from 'fastify';
import { PoolError } from '../../model/errors.ts';

/**
 * A path that exists under other methods is answered 405 with Allow, any other 404; both before the body is looked at,
 * so that a wrong path is not reported as a wrong body.
 */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const methods = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const one of [method].flat()) known.add(one);
    methods.set(url, known);
  });
  let patterns: { readonly path: RegExp; readonly allow: string }[] = [];
  app.addHook('onReady', (done) => {
    patterns = [...methods].map(([url, known]) => ({ path: patternOf(url), allow: [...known].sort().join(', ') }));
    done();
  });
  app.setNotFoundHandler(() => undefined);
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    const path = request.url.split('?', 1)[0]!;
    const match = patterns.find((pattern) => pattern.path.test(path));
    if (match === undefined)
      return done(new PoolError('NOT_FOUND', `there is no ${request.method} ${path.slice(0, 200)}`));
    reply.header('allow', match.allow);
    done(new PoolError('METHOD_NOT_ALLOWED', `${request.method} is not allowed here; allowed: ${match.allow}`));
  });
}

/** `/v1/leases/:id` as an expression; a parameter is one non-empty part. */
const patternOf = (url: string): RegExp =>
  new RegExp(`^${url.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[a-z]+/gi, '[^/]+')}$`);
