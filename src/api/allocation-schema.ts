import Type from 'typebox';
import { ID_PATTERN } from '../model/ids.ts';
import { MAX_SPAN_MS } from '../model/values/instant.ts';

const id = (description: string) =>
  Type.Optional(Type.Unsafe({ type: ['string', 'null'], pattern: ID_PATTERN, description }));
const ms = (minimum: number, description: string) =>
  Type.Optional(Type.Unsafe({ type: ['integer', 'null'], minimum, maximum: MAX_SPAN_MS, description }));
const amounts = (description: string, more: object) => ({
  ...more,
  description,
  maxProperties: 32,
  propertyNames: { pattern: '^[a-z][a-z0-9._-]{0,62}$' },
  additionalProperties: { type: ['number', 'string'], minimum: 0 },
});

/**
 * The body of POST /leases, for the OpenAPI document. The judge of it is the model's `parseRequest`, which also knows
 * units and how fields go together; a test holds that the two agree in what a schema can say.
 */
export const AllocationBody = Type.Object(
  {
    id: id("the caller's name for the task, unique among live leases and waiting requests; made if absent"),
    type: id('the resource that the request is mainly for: one of `requirements`; default the largest share'),
    priority: id('critical, high, normal (default), low, or another class of the configuration'),
    requirements: Type.Unsafe(
      amounts(
        'amounts by dimension; plain numbers are MiB (memory, disk), percent of one core (cpu), Mbit/s (network) or units; strings carry their unit ("1.5Gi", "250m")',
        { type: 'object', minProperties: 1 },
      ),
    ),
    owner: id('who it counts for; default anonymous'),
    tier: id('the tier to take it from; default by priority'),
    labels: Type.Optional(
      Type.Unsafe({
        type: ['object', 'null'],
        maxProperties: 64,
        propertyNames: { pattern: ID_PATTERN },
        additionalProperties: { type: 'string', maxLength: 256 },
        description: 'texts by name; at most 4 096 bytes in all, names and texts in UTF-8',
      }),
    ),
    minimum: Type.Optional(
      Type.Unsafe(amounts('accept less, down to this; at most `requirements`', { type: ['object', 'null'] })),
    ),
    ttlMs: ms(1, 'how long the lease is valid without renewal, ms'),
    waitMs: ms(0, 'how long to wait for room, ms; default 0 = answer now'),
    deadline: Type.Optional(
      Type.Unsafe({
        type: ['integer', 'string', 'null'],
        description: 'instant after which the request is of no use: integer Unix ms, or an RFC 3339 date-time',
      }),
    ),
    idempotencyKey: id('a repeat with the same key answers as the first did'),
  },
  { additionalProperties: false },
);
