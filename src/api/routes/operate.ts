import Type from 'typebox';
import type { PoolService } from '../../manager/service.ts';
import { PoolError } from '../../model/errors.ts';
import type { App } from '../app.ts';
import { actorOf, callOf, etagOf, ifMatchOf, requireMatch, sendTagged } from '../call.ts';
import {
  BreakerBody,
  CallHeaders,
  DrainBody,
  NoBody,
  NoQuery,
  PatchHeaders,
  ReadHeaders,
  TierParams,
} from '../schemas.ts';
import { answer } from '../views.ts';

const tags = ['operate'];

export function operateRoutes(app: App, service: PoolService): void {
  tierRoutes(app, service);
  configRoutes(app, service);
  const breaker = {
    tags,
    summary: 'Set the circuit breaker of the answering manager by hand',
    headers: CallHeaders,
    body: BreakerBody,
    response: { 200: answer('Breaker', 'Its mode') },
  };
  app.post('/v1/breaker', { schema: breaker, config: { problems: [422] } }, (request, reply) =>
    service.setBreaker(request.body.mode, callOf(request, reply)),
  );
}

function tierRoutes(app: App, service: PoolService): void {
  const shared = {
    tags,
    params: TierParams,
    headers: CallHeaders,
    response: { 200: answer('Tier', 'The tier') },
  };
  const config = { problems: [409, 422] };
  const cordon = { ...shared, summary: 'Let a tier admit nothing new', body: NoBody };
  app.post('/v1/tiers/:tier/cordon', { schema: cordon, config }, (request, reply) =>
    service.cordonTier(request.params.tier, callOf(request, reply)),
  );
  const uncordon = { ...shared, summary: 'Open a tier again', body: NoBody };
  app.post('/v1/tiers/:tier/uncordon', { schema: uncordon, config }, (request, reply) =>
    service.uncordonTier(request.params.tier, callOf(request, reply)),
  );
  const summary = 'Empty a tier: it admits nothing, and what has not ended at the deadline is reclaimed';
  app.post('/v1/tiers/:tier/drain', { schema: { ...shared, summary, body: DrainBody }, config }, (request, reply) =>
    service.drainTier(request.params.tier, request.body.deadlineMs, callOf(request, reply)),
  );
}

function configRoutes(app: App, service: PoolService): void {
  const read = {
    tags,
    summary: 'The configuration in force',
    querystring: NoQuery,
    headers: ReadHeaders,
    response: { 200: answer('Config', 'Every field; the ETag is the revision that made it so') },
  };
  app.get('/v1/config', { schema: read }, async (request, reply) => {
    const { config, revision } = await service.getConfig();
    return sendTagged(request, reply, revision, config);
  });
  const patch = {
    tags,
    summary: 'Change parts of the configuration',
    description:
      'Sections are merged field by field; tiers, priorities, quotas and amounts are replaced whole. If-Match with the ETag of GET is required.',
    headers: PatchHeaders,
    body: Type.Unsafe({ type: 'object', description: 'an object of configuration fields', additionalProperties: true }),
    response: { 200: answer('Config', 'The configuration then in force') },
  };
  app.patch('/v1/config', { schema: patch, config: { problems: [412, 428] } }, async (request, reply) => {
    const expected = await expectedRevision(service, request.headers['if-match'], ifMatchOf(request));
    const view = await service.patchConfig(request.body ?? {}, expected, { actor: actorOf(request) });
    return reply.header('etag', etagOf(view.revision)).send(view.config);
  });
}

/** One tag goes with the command, so that the check and the change are one; of several the current one does. */
async function expectedRevision(
  service: PoolService,
  header: string | undefined,
  allowed: readonly number[] | undefined,
): Promise<number | undefined> {
  if (header === undefined) {
    const detail = 'If-Match with the ETag of GET /v1/config is required, so that no change of somebody else is lost';
    throw new PoolError('PRECONDITION_REQUIRED', detail);
  }
  if (allowed === undefined) return undefined;
  if (allowed.length === 1) return allowed[0];
  const { revision } = await service.getConfig();
  requireMatch(allowed, revision);
  return revision;
}
