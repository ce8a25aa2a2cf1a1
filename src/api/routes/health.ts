import type { PoolService } from '../../manager/service.ts';
import type { App } from '../app.ts';
import { problemOf, sendProblem } from '../http/problems.ts';
import { type Lifetime, stopped } from '../lifetime.ts';
import { notReady } from '../readiness.ts';
import { ReadyQuery } from '../schemas.ts';
import { answer } from '../views.ts';

const tags = ['health'];

export function healthRoutes(app: App, service: PoolService, lifetime: Lifetime): void {
  const alive = {
    tags,
    summary: 'The process answers',
    response: { 200: { type: 'object', properties: { alive: { type: 'boolean' } } } },
  };
  app.get('/livez', { schema: alive }, () => ({ alive: true }));
  const ready = {
    tags,
    summary: 'Whether the pool can serve; ?verbose lists the checks',
    querystring: ReadyQuery,
    response: { 200: answer('Ready', 'It can') },
  };
  app.get('/readyz', { schema: ready }, (request, reply) => {
    const status = service.status();
    const checks = request.query.verbose === undefined ? {} : { checks: status.checks };
    const { state } = status;
    if (lifetime.stopping) return sendProblem(reply, { ...problemOf(stopped()), state: 'draining', ...checks });
    if (!status.ready) return sendProblem(reply, { ...problemOf(notReady(status)), state, ...checks });
    return reply.send({ ready: true, state, ...checks });
  });
  const metrics = {
    tags,
    summary: 'Every count, as Prometheus text',
    response: {
      200: { description: 'Prometheus text', content: { 'text/plain': { schema: { type: 'string' } } } },
    },
  };
  app.get('/metrics', { schema: metrics }, async (_request, reply) => {
    const { METRICS_TYPE, metricsText } = await import('../metrics.ts');
    return reply.type(METRICS_TYPE).send(await metricsText(await service.getMetrics()));
  });
}
