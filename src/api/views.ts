import Type, { type TSchema } from 'typebox';
import { ERRORS } from '../model/errors.ts';
import { BREAKER_MODES } from '../model/modes.ts';
import { LEASE_STATES } from '../model/views.ts';

/** What answers look like, for the OpenAPI document; a test holds real answers against them. */
const integer = { type: 'integer' } as const;
const number = { type: 'number' } as const;
const string = { type: 'string' } as const;
const boolean = { type: 'boolean' } as const;
const orNull = <T extends { readonly type: string }>(schema: T) => ({ ...schema, type: [schema.type, 'null'] });
const mapOf = (schema: object, description?: string) => ({
  type: 'object',
  ...(description === undefined ? {} : { description }),
  additionalProperties: schema,
});
const listOf = (items: object) => ({ type: 'array', items });
const ref = (name: string) => ({ $ref: `${name}#` });

const amounts = mapOf(integer, 'base units by dimension: bytes, millicores, bit/s, milli-units');
const ratios = mapOf(number, 'ratios by dimension');
const requirements = mapOf(
  { type: ['number', 'string'] },
  'as asked; plain numbers are MiB, percent of one core, Mbit/s, units',
);

/** An object all of whose fields are always there. */
const record = ($id: string, description: string, properties: Record<string, object>): TSchema =>
  Type.Unsafe({ $id, type: 'object', description, properties, required: Object.keys(properties) });

const Lease = record('Lease', 'A lease as it stands. Instants are Unix ms.', {
  id: string,
  requestId: string,
  token: { ...integer, description: 'the fencing token: rises with every grant of the pool' },
  tier: string,
  owner: string,
  priority: string,
  type: string,
  requirements,
  amounts,
  borrowed: orNull(amounts),
  labels: orNull(mapOf(string)),
  grantedAt: integer,
  ttlMs: integer,
  expiresAt: integer,
  renewAfterMs: integer,
  state: { ...string, enum: LEASE_STATES },
  noticeEndsAt: { ...orNull(integer), description: 'the instant that a revoked lease ends at' },
  endedAt: orNull(integer),
  reason: orNull(string),
  revision: { ...integer, description: 'of the last event that changed it; also its ETag' },
});

const Request = record('Request', 'A request that waits.', {
  requestId: string,
  leaseId: { ...string, description: 'the id that its lease will have' },
  tier: string,
  owner: string,
  priority: string,
  requirements,
  amounts,
  state: { ...string, enum: ['waiting'] },
  queuedAt: integer,
  expiresAt: integer,
  position: { ...integer, description: '0 = next' },
  shortfall: amounts,
  estimatedStartMs: orNull(integer),
});

const Queued = record('Queued', 'The answer to Prefer: respond-async.', {
  requestId: string,
  leaseId: { ...string, description: 'the id that its lease will have' },
  position: integer,
  estimatedStartMs: orNull(integer),
});

const Tier = record('Tier', 'A tier as it stands.', {
  name: string,
  admission: { ...string, enum: ['open', 'cordoned', 'draining', 'drained'] },
  load: { ...string, enum: ['normal', 'pressured', 'saturated', 'overcommitted'] },
  nominal: amounts,
  allocated: amounts,
  quarantined: amounts,
  borrowed: amounts,
  lent: amounts,
  free: amounts,
  waiting: integer,
});

const Breaker = record('Breaker', 'The circuit breaker of the answering manager.', {
  mode: { ...string, enum: BREAKER_MODES },
  until: orNull(integer),
});

const Pool = record('Pool', 'The pool at one revision: folded values only.', {
  poolId: string,
  revision: integer,
  at: integer,
  hostId: string,
  capacity: amounts,
  allocatable: amounts,
  allocated: amounts,
  tiers: listOf(ref('Tier')),
  breaker: ref('Breaker'),
  queue: { type: 'object', properties: { waiting: integer }, required: ['waiting'] },
  leases: integer,
  utilization: ratios,
  draining: boolean,
  configRevision: integer,
});

const Utilization = record('Utilization', 'Allocated over allocatable, now and over time.', {
  revision: integer,
  at: integer,
  now: ratios,
  tiers: mapOf(ratios),
  series: listOf({
    type: 'object',
    properties: { at: integer, utilization: ratios, leases: integer, waiting: integer },
    required: ['at', 'utilization', 'leases', 'waiting'],
  }),
});

const open = ($id: string, description: string): TSchema =>
  Type.Unsafe({ $id, type: 'object', description, additionalProperties: true });
const Config = open('Config', 'The configuration in force, every field present.');
const Metrics = open('Metrics', 'Counts, and what they stand at.');
const Event = Type.Unsafe({
  $id: 'Event',
  type: 'object',
  description: 'A recorded event.',
  properties: {
    id: string,
    type: string,
    schemaVersion: integer,
    at: integer,
    data: { type: 'object', additionalProperties: true },
    metadata: {
      type: 'object',
      properties: {
        correlationId: string,
        causationId: string,
        actor: string,
        key: mapOf(string, 'the idempotency key that the command came with'),
      },
      required: ['correlationId', 'causationId', 'actor'],
    },
    stream: string,
    revision: integer,
  },
  required: ['id', 'type', 'schemaVersion', 'at', 'data', 'metadata', 'stream', 'revision'],
});

const page = ($id: string, item: string): TSchema =>
  record($id, 'A page; `next` is the cursor of the page after, null at the end.', {
    items: listOf(ref(item)),
    next: orNull(string),
  });

const Ready = Type.Unsafe({
  $id: 'Ready',
  type: 'object',
  description: 'Whether the pool can serve; with ?verbose the checks.',
  properties: {
    ready: boolean,
    state: string,
    checks: listOf({
      type: 'object',
      properties: { name: string, ok: boolean, message: string },
      required: ['name', 'ok'],
    }),
  },
  required: ['ready', 'state'],
});

const Problem = Type.Unsafe({
  $id: 'Problem',
  type: 'object',
  description:
    'RFC 9457. `type` ends in the code; a refusal carries what it is about (shortfall, retryAfterMs, position ...).',
  properties: {
    type: string,
    title: string,
    status: integer,
    detail: string,
    code: { ...string, enum: Object.keys(ERRORS) },
    retryAfterMs: integer,
    errors: listOf({ type: 'object', properties: { path: string, value: {}, allowed: string } }),
  },
  required: ['type', 'title', 'status', 'detail', 'code'],
  additionalProperties: true,
});

/** Every shared schema, by the name that answers refer to it with. */
export const VIEWS: readonly TSchema[] = [
  Lease,
  Request,
  Queued,
  Tier,
  Breaker,
  Pool,
  Utilization,
  Config,
  Metrics,
  Event,
  Ready,
  Problem,
  page('LeasePage', 'Lease'),
  page('RequestPage', 'Request'),
  page('EventPage', 'Event'),
];

/** The answer `name`, described for the OpenAPI document. */
export const answer = (name: string, description: string): TSchema => Type.Unsafe({ ...ref(name), description });

/** Statuses that any route may answer with a problem. */
const COMMON = [400, 403, 404, 408, 413, 415, 429, 431, 500, 503];
const PROBLEM = { content: { 'application/problem+json': { schema: ref('Problem') } }, description: 'A problem' };

/** Problem answers by status. */
export const problemAnswers = (own: readonly number[]): Record<number, object> =>
  Object.fromEntries([...COMMON, ...own].sort((a, b) => a - b).map((status) => [status, PROBLEM]));
