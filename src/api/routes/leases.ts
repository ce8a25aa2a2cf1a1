import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LeaseAnswer, PoolService, SubmitOptions, Submitted } from '../../manager/service.ts';
import { type FieldError, invalid, isPoolError } from '../../model/errors.ts';
import { parseRequest } from '../../model/request.ts';
import { AllocationBody } from '../allocation-schema.ts';
import type { App } from '../app.ts';
import { actorOf, callOf, etagOf, headerErrors, keyOf, markReplayed, preferenceOf, sendTagged } from '../call.ts';
import { refusalProblem, sendProblem } from '../http/problems.ts';
import { type Lifetime, stopped, waitsOn } from '../lifetime.ts';
import { PAGES, sendPage } from '../readers/page.ts';
import {
  AllocateHeaders,
  IdParams,
  LeaseCallHeaders,
  LeasesQuery,
  ReadHeaders,
  ReleaseBody,
  RenewBody,
  RevokeBody,
} from '../schemas.ts';
import { answer } from '../views.ts';

const tags = ['leases'];

export function leaseRoutes(app: App, service: PoolService, lifetime: Lifetime): void {
  allocateRoute(app, service, lifetime);
  readRoutes(app, service);
  holderRoutes(app, service);
}

function allocateRoute(app: App, service: PoolService, lifetime: Lifetime): void {
  const schema = {
    tags,
    summary: 'Ask for a share of the pool',
    description:
      'Waits up to `waitMs`, or `Prefer: wait=N` seconds, which wins. `Prefer: respond-async` answers 202 at once if it has to queue. A client that goes away cancels its wait, unless the request has a key.',
    headers: AllocateHeaders,
    body: AllocationBody,
    response: {
      201: answer('Lease', 'Granted'),
      202: answer('Queued', 'Queued; Location leads to the request'),
    },
  };
  const config = { judge: everyError, shedsLoad: true, problems: [409, 422] };
  app.post('/v1/leases', { schema, config }, async (request, reply) => {
    const body = bodyOf(request);
    const preference = preferenceOf(request);
    const waits = mayWait(preference.waitMs, body, preference.respondAsync);
    const options: SubmitOptions = {
      actor: actorOf(request),
      ...(preference.waitMs === undefined ? undefined : { waitMs: preference.waitMs }),
      ...(preference.respondAsync ? { detached: true } : undefined),
    };
    if (preference.respondAsync) reply.header('preference-applied', 'respond-async');
    const submitted = waits
      ? await lifetime.whileConnected(
          reply,
          (signal) => service.submit(body, { ...options, signal }),
          hasKey(body) ? waitsOn : stopped,
        )
      : await service.submit(body, options);
    if (submitted.kind === 'granted' && reply.raw.destroyed && !hasKey(body)) await giveBack(service, submitted.lease);
    return sendSubmitted(reply, submitted);
  });
}

/** Every wrong field of headers and body, the body as the manager would judge it. */
function everyError(request: FastifyRequest): FieldError[] {
  const errors = headerErrors(request);
  const { signal, ...body } = (request.body ?? {}) as Fields;
  if (signal !== undefined) errors.push({ path: 'signal', value: signal, allowed: 'no such field over HTTP' });
  parseRequest(signal === undefined ? (request.body === undefined ? {} : request.body) : body, 'unnamed', errors);
  return errors;
}

type Fields = Record<string, unknown>;

/** The body with the header's key in it. The manager judges its fields; only what it cannot see is judged here. */
function bodyOf(request: FastifyRequest): Fields {
  if (request.body === null) throw invalid(everyError(request));
  const body = (request.body ?? {}) as Fields;
  if (body['signal'] !== undefined || headerErrors(request).length > 0) throw invalid(everyError(request));
  const key = keyOf(request);
  if (key !== undefined && typeof body === 'object' && !Array.isArray(body)) body['idempotencyKey'] = key;
  return body;
}

const hasKey = (body: Fields): boolean => body['idempotencyKey'] !== undefined && body['idempotencyKey'] !== null;

const mayWait = (preferredMs: number | undefined, body: Fields, detached: boolean): boolean =>
  !detached && (preferredMs ?? body['waitMs'] ?? 0) !== 0;

/** The caller went while its grant was committed, and nobody can ask for it again: it is not left to expire. */
async function giveBack(service: PoolService, lease: { id: string; token: number }): Promise<void> {
  await service.releaseLease(lease.id, lease.token, { actor: 'http' }).catch((error: unknown) => {
    if (!isPoolError(error)) throw error;
  });
}

function sendSubmitted(reply: FastifyReply, submitted: Submitted): FastifyReply {
  if (submitted.kind === 'refused') return sendProblem(reply, refusalProblem(submitted.refusal));
  if (submitted.replayed) markReplayed(reply);
  if (submitted.kind === 'granted') {
    const { lease } = submitted;
    return reply
      .code(201)
      .header('location', `/v1/leases/${lease.id}`)
      .header('etag', etagOf(lease.revision))
      .send(lease);
  }
  const { requestId, leaseId, position, estimatedStartMs } = submitted.request;
  reply.code(202).header('location', `/v1/requests/${requestId}`);
  return reply.send({ requestId, leaseId, position, estimatedStartMs });
}

function readRoutes(app: App, service: PoolService): void {
  const list = {
    tags,
    summary: 'Leases, live ones and ended ones that are still kept',
    description: PAGES,
    querystring: LeasesQuery,
    response: { 200: answer('LeasePage', 'A page') },
  };
  app.get('/v1/leases', { schema: list }, async (request, reply) => {
    const { limit, ...filter } = request.query;
    return sendPage(request, reply, limit, (most) =>
      service.listLeases({ ...filter, ...(most !== undefined && { limit: most }) }),
    );
  });
  const one = {
    tags,
    summary: 'A lease as it stands',
    params: IdParams,
    headers: ReadHeaders,
    response: { 200: answer('Lease', 'The lease; ended ones with reason and revision') },
  };
  app.get('/v1/leases/:id', { schema: one }, async (request, reply) => {
    const lease = await service.getLease(request.params.id);
    return sendTagged(request, reply, lease.revision, lease);
  });
}

function holderRoutes(app: App, service: PoolService): void {
  const shared = { tags, params: IdParams, headers: LeaseCallHeaders };
  const config = { problems: [409, 412, 422] };
  const response = { 200: answer('Lease', 'The lease as it then stands') };
  const release = { ...shared, summary: 'Give a lease back', body: ReleaseBody, response };
  app.post('/v1/leases/:id/release', { schema: release, config }, async (request, reply) => {
    return sendLease(reply, await service.releaseLease(request.params.id, request.body.token, callOf(request, reply)));
  });
  const renew = {
    ...shared,
    summary: 'Let a lease go on for its TTL, or `ttlMs`, from now',
    body: RenewBody,
    response,
  };
  app.post('/v1/leases/:id/renew', { schema: renew, config }, async (request, reply) => {
    const { token, ttlMs } = request.body;
    return sendLease(reply, await service.renewLease(request.params.id, token, ttlMs, callOf(request, reply)));
  });
  const revoke = { ...shared, summary: 'End a lease after notice and grace', body: RevokeBody, response };
  app.post('/v1/leases/:id/revoke', { schema: revoke, config }, async (request, reply) => {
    const { reason, graceMs } = request.body;
    return sendLease(reply, await service.revokeLease(request.params.id, reason, graceMs, callOf(request, reply)));
  });
}

function sendLease(reply: FastifyReply, { lease }: LeaseAnswer): FastifyReply {
  return reply.header('etag', etagOf(lease.revision)).send(lease);
}
