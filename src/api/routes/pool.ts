import type { Static } from 'typebox';
import type { PoolService } from '../../manager/service.ts';
import { invalid } from '../../model/errors.ts';
import type { Moment } from '../../model/reading.ts';
import { parseInstant } from '../../model/values/instant.ts';
import type { App } from '../app.ts';
import { sendTagged } from '../call.ts';
import type { Door } from '../door.ts';
import { untilGone } from '../readers/over.ts';
import { seated } from '../readers/seats.ts';
import { NoQuery, PoolQuery, ReadHeaders } from '../schemas.ts';
import { answer } from '../views.ts';

const tags = ['pool'];

export function poolRoutes(app: App, service: PoolService, { longReads }: Door): void {
  const pool = {
    tags,
    summary: 'The pool, now or at a past moment',
    querystring: PoolQuery,
    headers: ReadHeaders,
    response: { 200: answer('Pool', 'The pool') },
  };
  app.get('/v1/pool', { schema: pool }, async (request, reply) => {
    const moment = momentOf(request.query);
    const past = (at: Moment) => seated(longReads, () => service.getPool(at, untilGone(reply.raw)));
    const view = await (moment === undefined ? service.getPool() : past(moment));
    return sendTagged(request, reply, view.revision, view);
  });
  const utilization = {
    tags,
    summary: 'Utilization, now and over time',
    querystring: NoQuery,
    response: { 200: answer('Utilization', 'With the revision that it stands at') },
  };
  app.get('/v1/utilization', { schema: utilization }, () => service.getUtilization());
  const metrics = {
    tags,
    summary: 'Every count, as JSON',
    querystring: NoQuery,
    response: { 200: answer('Metrics', 'With the revision that they stand at') },
  };
  app.get('/v1/metrics.json', { schema: metrics }, () => service.getMetrics());
}

function momentOf({ revision, at }: Static<typeof PoolQuery>): Moment | undefined {
  if (revision !== undefined && at !== undefined)
    throw invalid([{ path: 'query.at', value: at, allowed: 'either revision or at' }]);
  if (revision !== undefined) return { revision };
  if (at === undefined) return undefined;
  const instant = parseInstant(at);
  if (instant !== undefined) return { at: instant };
  throw invalid([{ path: 'query.at', value: at, allowed: 'integer Unix ms, or an RFC 3339 date-time' }]);
}
