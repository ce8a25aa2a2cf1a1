import Type from 'typebox';
import { ID_PATTERN } from '../ids.ts';
import { MAX_SPAN_MS } from '../values/instant.ts';

/**
 * What a user may write. `description` says what is allowed, and is what a wrong value is answered with; `title` says what
 * the field is for. docs/configuration.md is made of both.
 */
const ms = (title: string, minimum: number, maximum = MAX_SPAN_MS) =>
  Type.Optional(
    Type.Integer({ title, minimum, maximum, description: `whole milliseconds from ${minimum} to ${maximum}` }),
  );
const count = (title: string, minimum: number, maximum: number) =>
  Type.Optional(Type.Integer({ title, minimum, maximum, description: `a whole number from ${minimum} to ${maximum}` }));
const ratio = (title: string, maximum = 1) =>
  Type.Optional(Type.Number({ title, minimum: 0, maximum, description: `a number from 0 to ${maximum}` }));
const closed = { additionalProperties: false } as const;
const amount = Type.Union([Type.Number(), Type.String()]);
const amounts = Type.Record(Type.String(), amount, {
  description: 'amounts by dimension, such as {"memory": "8Gi", "cpu": 400}',
});
const share = (title: string) =>
  Type.Optional(
    Type.Union([Type.String(), amounts], { title, description: 'a percentage such as "50%", or amounts by dimension' }),
  );
const limit = (title: string) =>
  Type.Optional(
    Type.Union([Type.Null(), Type.Literal(0), Type.String(), amounts], {
      title,
      description: 'null (unlimited), 0 (none), a percentage or amounts by dimension',
    }),
  );

const QueueSchema = Type.Object(
  {
    policy: Type.Optional(
      Type.Union([Type.Literal('strict'), Type.Literal('bestEffort')], {
        title: 'strict: nobody passes the first waiter; bestEffort: one that fits may, where it delays no one',
        description: 'strict or bestEffort',
      }),
    ),
    maxLength: count('requests that may wait; more are answered QUEUE_FULL', 0, 1_000_000),
    maxWaitMs: ms('the longest that a request waits, whatever it asks for', 1),
    ageingMs: ms('a waiter gains one point of priority each time this passes', 1),
  },
  closed,
);

const TierSchema = Type.Object(
  {
    name: Type.String({
      title: 'the name that requests and routes name it by',
      pattern: ID_PATTERN,
      description: 'a name of 1 to 128 of the characters A-Z a-z 0-9 . _ : -',
    }),
    priorities: Type.Optional(
      Type.Array(Type.String(), {
        title: 'the priority classes that it serves; a class that no tier lists goes to the last tier',
        maxItems: 64,
        description: 'a list of priority classes',
      }),
    ),
    nominal: share('what is its own; percentages are of what is allocatable, and what remains goes to the first tier'),
    borrowingLimit: limit('the most that it may hold above its nominal'),
    lendingLimit: limit('the most of its unused nominal that others may hold'),
    queue: Type.Optional(QueueSchema),
    preemption: Type.Optional(
      Type.Literal('off', {
        title: 'whether a higher priority displaces a lower one',
        description: 'off (preemption by priority does not exist yet)',
      }),
    ),
  },
  closed,
);

const BreakerSchema = Type.Object(
  {
    windowCount: count('calls that the rates are counted over at most', 1, 100_000),
    windowMs: ms('how far back they are counted', 1),
    minimumCalls: count('fewer calls than this never trip it', 1, 100_000),
    failureRatio: ratio('it opens at this share of failed appends'),
    slowRatio: ratio('it opens at this share of slow appends'),
    slowCallMs: ms('an append that takes longer is slow', 1),
    openMs: ms('how long it stays open the first time; doubles with each reopening', 1),
    maxOpenMs: ms('and never longer than this', 1),
    jitterRatio: ratio('the drawn time lies within +- this share'),
    halfOpenProbes: count('allocates that a half-open breaker lets through', 1, 10_000),
    halfOpenMs: ms('it reopens if they have not settled by then', 1),
    rampMs: ms('after closing, the share let through grows to all over this time; 0 = at once', 0),
  },
  closed,
);

/** Sections and fields that are left out take their defaults. */
export const PoolConfigSchema = Type.Object(
  {
    maxPoolSize: count('the most live leases at once', 0, 10_000_000),
    minPoolSize: count('the floor below which adaptive sizing never pushes that limit', 0, 10_000_000),
    cleanupIntervalMs: ms('the backstop sweep; leases end by deadline, not by sweep', 10),
    resourceTimeoutMs: ms('TTL of a lease that asks for none', 1),
    cacheMaxSize: count('entries of the shape cache; 0 turns it off', 0, 10_000_000),
    enableCircuitBreaker: Type.Optional(
      Type.Boolean({ title: 'whether the circuit breaker guards allocates', description: 'true or false' }),
    ),
    priorities: Type.Optional(
      Type.Record(
        Type.String({ pattern: ID_PATTERN }),
        Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'a whole number from 0 to 1000000' }),
        {
          ...closed,
          title: 'the classes and what they weigh',
          description: 'weights by priority class, such as {"high": 100}',
        },
      ),
    ),
    tiers: Type.Optional(Type.Array(TierSchema, { minItems: 1, maxItems: 64, description: 'a list of 1 to 64 tiers' })),
    quotas: Type.Optional(
      Type.Record(Type.String({ pattern: ID_PATTERN }), amounts, {
        ...closed,
        title:
          'the most that an owner may hold at once; a change of a running pool carries those of 1024 owners at most',
        description: 'amounts by owner',
      }),
    ),
    leases: Type.Optional(
      Type.Object(
        {
          minTtlMs: ms('the shortest TTL that may be asked for', 1),
          maxTtlMs: ms('the longest', 1),
          quarantineMs: ms('how long the capacity of a lease that expired or was revoked is kept back', 0),
          graceMs: ms('between the notice and the end of a lease that is revoked', 0),
        },
        closed,
      ),
    ),
    breaker: Type.Optional(BreakerSchema),
    load: Type.Optional(
      Type.Object(
        {
          pressuredRatio: ratio('allocated / nominal from which a tier is pressured'),
          saturatedRatio: ratio('and saturated'),
          normalRatio: ratio('below this it is normal again; the gap is the hysteresis'),
          dwellMs: ms('load is judged at most once in this time', 0),
          sampleMs: ms('how often a pressured tier samples', 10),
        },
        closed,
      ),
    ),
    detection: Type.Optional(
      Type.Object(
        {
          capacity: Type.Optional(
            Type.Union([Type.Null(), amounts], {
              title: 'declares the capacity instead of detecting it',
              description: 'null (detect), or amounts by dimension',
            }),
          ),
          sampleIntervalMs: ms('how often the machine is looked at', 10),
          hysteresisRatio: ratio('a change of capacity up to this share is noise'),
          stableSamples: count('a larger one counts when it stays for so many samples', 1, 1000),
        },
        closed,
      ),
    ),
    reserve: share('kept for the system; allocatable = capacity less this'),
    overload: Type.Optional(
      Type.Object(
        {
          mailboxLimit: count('commands that may wait to be decided; more are answered OVERLOADED', 1, 10_000_000),
          pressureRatio: ratio('PSI avg10 of memory or io above which the machine counts as overloaded'),
          samples: count('samples in a row that must say so', 1, 1000),
          readerBytes: Type.Optional(
            Type.Integer({
              title:
                'bytes of answers that readers have not taken yet, in all; beyond it new reads are answered RATE_LIMITED',
              minimum: 1_048_576,
              maximum: 17_179_869_184,
              description: 'whole bytes from 1048576 (1 MiB) to 17179869184 (16 GiB)',
            }),
          ),
          longReads: count(
            'reads of the log that may run at once; more are answered RATE_LIMITED, streams and exports wait for their turn',
            1,
            1_000,
          ),
        },
        closed,
      ),
    ),
    idempotency: Type.Optional(
      Type.Object(
        {
          retentionMs: ms('how long ended leases and keys stay answerable, within 64 MiB each', 1),
          maxEntries: count('and how many of them', 1, 10_000_000),
        },
        closed,
      ),
    ),
  },
  { ...closed, description: 'an object of configuration fields' },
);
