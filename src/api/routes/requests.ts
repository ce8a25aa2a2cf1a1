import type { PoolService } from '../../manager/service.ts';
import type { App } from '../app.ts';
import { callOf } from '../call.ts';
import { PAGES, sendPage } from '../readers/page.ts';
import { CallHeaders, IdParams, RequestsQuery } from '../schemas.ts';
import { answer } from '../views.ts';

const tags = ['requests'];

export function requestRoutes(app: App, service: PoolService): void {
  const list = {
    tags,
    summary: 'What waits, in the order of its queues',
    description: PAGES,
    querystring: RequestsQuery,
    response: { 200: answer('RequestPage', 'A page') },
  };
  app.get('/v1/requests', { schema: list }, (request, reply) => {
    const { limit, ...filter } = request.query;
    return sendPage(request, reply, limit, (most) =>
      service.listRequests({ ...filter, ...(most !== undefined && { limit: most }) }),
    );
  });
  const one = {
    tags,
    summary: 'A request that waits: its position, and what it lacks',
    params: IdParams,
    response: { 200: answer('Request', 'The request') },
  };
  app.get('/v1/requests/:id', { schema: one }, (request) => service.getRequest(request.params.id));
  const cancel = {
    tags,
    summary: 'Cancel a request that waits',
    params: IdParams,
    headers: CallHeaders,
    response: { 200: answer('Request', 'The request as it was') },
  };
  app.delete('/v1/requests/:id', { schema: cancel, config: { problems: [409, 422] } }, (request, reply) =>
    service.cancelRequest(request.params.id, callOf(request, reply)),
  );
}
