import { describe, expect, test } from 'vitest';
import { createResourceDetector } from '../../src/detection/detector.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import { DEFAULT_POOL_CONFIG, type ResolvedConfig } from '../../src/model/config/config.ts';
import { PoolConfigSchema } from '../../src/model/config/config-schema.ts';
import { isPoolError } from '../../src/model/errors.ts';
import { everything, STORES, servePool } from './support/pool.ts';
import { ask, expectProblem } from './support/serve.ts';

interface Row {
  readonly config: unknown;
  readonly wrong: readonly string[];
}

/** The part of a JSON Schema that the rows are made of. */
interface Schema {
  readonly type?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
}

const ANY = [true, 'x', -1, 1.5, 1e300, [], {}, null] as const;

/** Values that no field of the kind takes. */
const WRONG_OF_TYPE: Readonly<Record<string, readonly unknown[]>> = {
  integer: ['5', -1, 1.5, 1e300, true, null, [], {}],
  number: ['0.5', -0.1, 1.1, true, null, [], {}],
  boolean: ['true', 0, null, [], {}],
  string: [5, true, null, [], {}, 'a b', ''],
  array: ['x', 5, {}, null],
  object: ['x', 5, [1], true],
};

/** One wrong value after the other in each field that the schema names; `place` puts it into a whole configuration. */
function rowsOf(schema: Schema, path: string, place: (value: unknown) => unknown): Row[] {
  const type = schema.type ?? 'union';
  const own = (WRONG_OF_TYPE[type] ?? []).map((value) => ({ config: place(value), wrong: [path] }));
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    rowsOf(field, `${path}.${name}`, (value) => place({ ...seedOf(path), [name]: value })),
  );
  const unknown =
    schema.properties === undefined
      ? []
      : [{ config: place({ ...seedOf(path), surprise: 1 }), wrong: [`${path}.surprise`] }];
  return [...own, ...inner, ...unknown];
}

/** What must stand beside a wrong field so that only it is wrong. */
const seedOf = (path: string): object => (path === 'tiers.0' ? { name: 'all', nominal: '100%' } : {});

function schemaRows(): Row[] {
  const { properties } = PoolConfigSchema as unknown as { properties: Record<string, Schema> };
  return Object.entries(properties).flatMap(([name, schema]) => {
    const place = (value: unknown) => ({ [name]: value });
    const items = schema.items === undefined ? [] : rowsOf(schema.items, `${name}.0`, (value) => place([value]));
    return [...rowsOf(schema, name, place), ...items];
  });
}

const all = { name: 'all', nominal: '100%' };
/** How fields go together, and what unions and maps hold. */
const MORE: readonly Row[] = [
  ...ANY.filter((value) => typeof value !== 'object' || value === null || Array.isArray(value)).map((config) => ({
    config,
    wrong: ['config'],
  })),
  { config: { surprise: 1 }, wrong: ['surprise'] },
  { config: { maxPoolSize: 5, minPoolSize: 6 }, wrong: ['minPoolSize'] },
  { config: { leases: { minTtlMs: 400_000 } }, wrong: ['leases.minTtlMs'] },
  { config: { leases: { maxTtlMs: 1_000 } }, wrong: ['resourceTimeoutMs'] },
  {
    config: { leases: { minTtlMs: 5, maxTtlMs: 4 }, resourceTimeoutMs: 4 },
    wrong: ['leases.minTtlMs', 'leases.minTtlMs'],
  },
  { config: { resourceTimeoutMs: 86_400_001 }, wrong: ['resourceTimeoutMs'] },
  { config: { breaker: { openMs: 60_001 } }, wrong: ['breaker.openMs'] },
  { config: { breaker: { windowCount: 9 } }, wrong: ['breaker.minimumCalls'] },
  { config: { load: { normalRatio: 0.9 } }, wrong: ['load.normalRatio'] },
  { config: { load: { pressuredRatio: 0.96 } }, wrong: ['load.pressuredRatio'] },
  ...['5', '-5%', '5 %', 5, true, [], { memory: -1 }, { memory: '1Zi' }].map((reserve) => ({
    config: { reserve },
    wrong: [typeof reserve === 'object' && !Array.isArray(reserve) ? 'reserve.memory' : 'reserve'],
  })),
  { config: { reserve: { 'Bad Name': 1 } }, wrong: ['reserve.Bad Name'] },
  { config: { priorities: {}, tiers: [all] }, wrong: ['priorities'] },
  { config: { priorities: { high: -1 } }, wrong: ['priorities.high'] },
  { config: { priorities: { high: 'x' } }, wrong: ['priorities.high'] },
  { config: { quotas: { ann: 5 } }, wrong: ['quotas.ann'] },
  { config: { quotas: { 'a.b:c': 5 } }, wrong: ['quotas.a.b:c'] },
  { config: { quotas: { 'a/b': {} } }, wrong: ['quotas.a/b'] },
  { config: { quotas: { ann: { memory: true } } }, wrong: ['quotas.ann.memory'] },
  { config: { quotas: { ann: { memory: 'much' } } }, wrong: ['quotas.ann.memory'] },
  { config: { quotas: { ann: { memory: -1 } } }, wrong: ['quotas.ann.memory'] },
  { config: { detection: { capacity: 5 } }, wrong: ['detection.capacity'] },
  { config: { detection: { capacity: { memory: 'much' } } }, wrong: ['detection.capacity.memory'] },
  { config: { tiers: [] }, wrong: ['tiers'] },
  { config: { tiers: [all, { name: 'all' }] }, wrong: ['tiers.1.name'] },
  { config: { tiers: [{ name: '__proto__', nominal: '100%' }] }, wrong: ['tiers.0.name'] },
  { config: { tiers: [{ ...all, priorities: ['urgent'] }] }, wrong: ['tiers.0.priorities.0'] },
  { config: { tiers: [{ ...all, priorities: [5] }] }, wrong: ['tiers.0.priorities.0'] },
  { config: { tiers: [{ ...all, nominal: '100' }] }, wrong: ['tiers.0.nominal'] },
  { config: { tiers: [{ ...all, nominal: { memory: 'x' } }] }, wrong: ['tiers.0.nominal.memory'] },
  { config: { tiers: [{ ...all, borrowingLimit: 'x' }] }, wrong: ['tiers.0.borrowingLimit'] },
  { config: { tiers: [{ ...all, lendingLimit: 5 }] }, wrong: ['tiers.0.lendingLimit'] },
  { config: { tiers: [{ ...all, queue: { policy: 'fifo' } }] }, wrong: ['tiers.0.queue.policy'] },
  { config: { tiers: [{ ...all, preemption: 'perhaps' }] }, wrong: ['tiers.0.preemption'] },
  {
    config: {
      tiers: [
        { name: 'a', nominal: '60%' },
        { name: 'b', nominal: '41%' },
      ],
    },
    wrong: ['tiers'],
  },
  {
    config: { maxPoolSize: -1, breaker: { openMs: 'x' }, surprise: 1 },
    wrong: ['breaker.openMs', 'maxPoolSize', 'surprise'],
  },
];

const ROWS = [...schemaRows(), ...MORE];

interface Wrong {
  readonly path: string;
  readonly value: unknown;
  readonly allowed: string;
}

function expectWrong(errors: readonly Wrong[], { config, wrong }: Row): void {
  const what = JSON.stringify(config);
  expect(errors.map(({ path }) => path).sort(), what).toEqual([...wrong].sort());
  for (const { allowed } of errors) expect(allowed.length, `${what}: ${allowed}`).toBeGreaterThan(2);
}

test('every field of the configuration is among the rows', () => {
  const named = new Set(ROWS.flatMap(({ wrong }) => wrong));
  const leaves = (value: unknown, path: string): string[] =>
    typeof value !== 'object' || value === null || path === 'priorities' || path === 'quotas'
      ? [path]
      : Object.entries(value).flatMap(([name, inner]) => leaves(inner, path === '' ? name : `${path}.${name}`));
  const { tiers, ...rest } = DEFAULT_POOL_CONFIG as ResolvedConfig;
  const paths = [...leaves(rest, ''), ...leaves({ ...tiers[0], priorities: ['critical'] }, 'tiers.0')];
  expect(paths.filter((path) => !named.has(path))).toEqual([]);
});

describe.each(STORES)(
  'a wrong field of the configuration is named with what is allowed, and changes nothing (%s)',
  (store) => {
    test(`by PATCH: ${ROWS.length} wrong ones`, async () => {
      const pool = await servePool({ store });
      const before = await everything(pool);
      for (const row of ROWS) {
        const reply = await ask(pool.url, 'PATCH', '/v1/config', { body: row.config, headers: { 'if-match': '*' } });
        expect(reply.status, JSON.stringify(row)).toBe(400);
        expectProblem(reply);
        expectWrong(reply.body.errors, { ...row, wrong: row.wrong.map((path) => (path === 'config' ? 'body' : path)) });
        expect(await everything(pool), JSON.stringify(row)).toEqual(before);
      }
    });
  },
);

test('the library throws the same at once', () => {
  const detector = createResourceDetector({ capacity: { memory: 1 } });
  for (const row of ROWS) {
    let thrown: unknown;
    try {
      void new ResourcePoolManager(detector, row.config as object);
    } catch (error) {
      thrown = error;
    }
    expect(isPoolError(thrown) && thrown.code, JSON.stringify(row)).toBe('INVALID_CONFIG');
    if (isPoolError(thrown)) expectWrong(thrown.details['errors'] as Wrong[], row);
  }
});
