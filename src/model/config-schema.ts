import Type from 'typebox';

const id = '^[A-Za-z0-9._:-]{1,128}$';
const ms = (minimum: number, maximum = 366 * 86_400_000) =>
  Type.Optional(Type.Integer({ minimum, maximum, description: `whole milliseconds from ${minimum} to ${maximum}` }));
const count = (minimum: number, maximum: number) =>
  Type.Optional(Type.Integer({ minimum, maximum, description: `a whole number from ${minimum} to ${maximum}` }));
const ratio = (maximum = 1) =>
  Type.Optional(Type.Number({ minimum: 0, maximum, description: `a number from 0 to ${maximum}` }));
const closed = { additionalProperties: false } as const;
const amount = Type.Union([Type.Number(), Type.String()]);
const amounts = Type.Record(Type.String(), amount, {
  description: 'amounts by dimension, such as {"memory": "8Gi", "cpu": 400}',
});
const share = Type.Union([Type.String(), amounts], {
  description: 'a percentage such as "50%", or amounts by dimension',
});
const limit = Type.Optional(
  Type.Union([Type.Null(), Type.Literal(0), share], {
    description: 'null (unlimited), 0 (none), a percentage or amounts by dimension',
  }),
);

const TierSchema = Type.Object(
  {
    name: Type.String({ pattern: id, description: 'a name of 1 to 128 of the characters A-Z a-z 0-9 . _ : -' }),
    priorities: Type.Optional(Type.Array(Type.String(), { maxItems: 64, description: 'a list of priority classes' })),
    nominal: Type.Optional(share),
    borrowingLimit: limit,
    lendingLimit: limit,
    queue: Type.Optional(
      Type.Object(
        {
          policy: Type.Optional(
            Type.Union([Type.Literal('strict'), Type.Literal('bestEffort')], { description: 'strict or bestEffort' }),
          ),
          maxLength: count(0, 1_000_000),
          maxWaitMs: ms(1),
          ageingMs: ms(1),
        },
        closed,
      ),
    ),
    preemption: Type.Optional(Type.Literal('off', { description: 'off (preemption by priority does not exist yet)' })),
  },
  closed,
);

/** What a user may write. Sections and fields that are left out take their defaults. */
export const PoolConfigSchema = Type.Object(
  {
    maxPoolSize: count(0, 10_000_000),
    minPoolSize: count(0, 10_000_000),
    cleanupIntervalMs: ms(10),
    resourceTimeoutMs: ms(1),
    cacheMaxSize: count(0, 10_000_000),
    enableCircuitBreaker: Type.Optional(Type.Boolean({ description: 'true or false' })),
    priorities: Type.Optional(
      Type.Record(
        Type.String({ pattern: id }),
        Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'a whole number from 0 to 1000000' }),
        { ...closed, description: 'weights by priority class, such as {"high": 100}' },
      ),
    ),
    tiers: Type.Optional(Type.Array(TierSchema, { minItems: 1, maxItems: 64, description: 'a list of 1 to 64 tiers' })),
    quotas: Type.Optional(
      Type.Record(Type.String({ pattern: id }), amounts, { ...closed, description: 'amounts by owner' }),
    ),
    leases: Type.Optional(
      Type.Object({ minTtlMs: ms(1), maxTtlMs: ms(1), quarantineMs: ms(0), graceMs: ms(0) }, closed),
    ),
    breaker: Type.Optional(
      Type.Object(
        {
          windowCount: count(1, 100_000),
          windowMs: ms(1),
          minimumCalls: count(1, 100_000),
          failureRatio: ratio(),
          slowRatio: ratio(),
          slowCallMs: ms(1),
          openMs: ms(1),
          maxOpenMs: ms(1),
          jitterRatio: ratio(),
          halfOpenProbes: count(1, 10_000),
          halfOpenMs: ms(1),
          rampMs: ms(0),
        },
        closed,
      ),
    ),
    load: Type.Optional(
      Type.Object(
        { pressuredRatio: ratio(), saturatedRatio: ratio(), normalRatio: ratio(), dwellMs: ms(0), sampleMs: ms(10) },
        closed,
      ),
    ),
    detection: Type.Optional(
      Type.Object(
        {
          capacity: Type.Optional(
            Type.Union([Type.Null(), amounts], { description: 'null (detect), or amounts by dimension' }),
          ),
          sampleIntervalMs: ms(10),
          hysteresisRatio: ratio(),
          stableSamples: count(1, 1000),
        },
        closed,
      ),
    ),
    reserve: Type.Optional(share),
    overload: Type.Optional(
      Type.Object({ mailboxLimit: count(1, 10_000_000), pressureRatio: ratio(), samples: count(1, 1000) }, closed),
    ),
    idempotency: Type.Optional(Type.Object({ retentionMs: ms(1), maxEntries: count(1, 10_000_000) }, closed)),
  },
  { ...closed, description: 'an object of configuration fields' },
);
