import { readFile, writeFile } from 'node:fs/promises';
import { Validator } from '@seriousme/openapi-schema-validator';
import Type, { type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { AllocationBody } from '../../src/api/allocation-schema.ts';
import { openApiText } from '../../src/api/openapi.ts';
import type { FieldError } from '../../src/model/errors.ts';
import { parseRequest } from '../../src/model/request.ts';
import { servePool } from './support/pool.ts';
import { ask } from './support/serve.ts';

const COMMITTED = new URL('../../docs/openapi.json', import.meta.url);

interface Document {
  readonly openapi: string;
  readonly paths: Record<
    string,
    Record<string, { summary?: string; responses: Record<string, Answer>; requestBody?: object }>
  >;
  readonly components: { readonly schemas: Record<string, object> };
}
interface Answer {
  readonly content?: Record<string, { readonly schema: { readonly $ref?: string } }>;
}

/** The routes of this issue; what comes later is absent. */
const ROUTES = [
  'DELETE /v1/requests/{id}',
  'GET /livez',
  'GET /metrics',
  'GET /readyz',
  'GET /v1/config',
  'GET /v1/events',
  'GET /v1/leases',
  'GET /v1/leases/{id}',
  'GET /v1/metrics.json',
  'GET /v1/pool',
  'GET /v1/refusals',
  'GET /v1/requests',
  'GET /v1/requests/{id}',
  'GET /v1/utilization',
  'PATCH /v1/config',
  'POST /v1/breaker',
  'POST /v1/leases',
  'POST /v1/leases/{id}/release',
  'POST /v1/leases/{id}/renew',
  'POST /v1/leases/{id}/revoke',
  'POST /v1/tiers/{tier}/cordon',
  'POST /v1/tiers/{tier}/drain',
  'POST /v1/tiers/{tier}/uncordon',
];

describe('the OpenAPI document', () => {
  test('as committed is the one that the routes give (UPDATE_DOCS=1 writes it)', async () => {
    const text = await openApiText();
    if (process.env['UPDATE_DOCS'] === '1') await writeFile(COMMITTED, text);
    expect(await readFile(COMMITTED, 'utf8')).toBe(text);
  });

  test('is valid OpenAPI 3.1, has every route, and every reference leads somewhere', async () => {
    const { url } = await servePool();
    const document = (await ask(url, 'GET', '/openapi.json')).body as Document;
    expect(await new Validator().validate({ ...document })).toEqual({ valid: true });
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.filter((route) => !route.startsWith('HEAD ')).sort()).toEqual(ROUTES);
    for (const [, name] of JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
      expect(document.components.schemas[name!], name).toBeDefined();
    for (const methods of Object.values(document.paths))
      for (const { summary, responses } of Object.values(methods)) {
        expect(summary).toBeTruthy();
        for (const status of ['400', '404', '500', '503'])
          expect(Object.keys(responses[status]?.content ?? {})).toEqual(['application/problem+json']);
      }
  });

  test('tells the truth about answers', async () => {
    const { url } = await servePool();
    const document = (await ask(url, 'GET', '/openapi.json')).body as Document;
    const schemas = inlined(document.components.schemas);
    const { body: held } = await ask(url, 'POST', '/v1/leases', {
      body: { requirements: { memory: 60, cpu: '50%' }, labels: { a: 'b' }, idempotencyKey: 'k' },
    });
    const waits = { body: { id: 'waits', requirements: { memory: 60 }, waitMs: 60_000 } };
    await ask(url, 'POST', '/v1/leases', { ...waits, headers: { prefer: 'respond-async' } });
    const big = { requirements: { memory: 1_000 } };
    const asynchronously = { prefer: 'respond-async' };
    const rows: readonly (readonly [string, string, number, object?, Record<string, string>?])[] = [
      ['POST', '/v1/leases', 202, { id: 'also', requirements: { memory: 60 }, waitMs: 60_000 }, asynchronously],
      ['POST', '/v1/leases', 422, big],
      ['POST', '/v1/leases', 429, { requirements: { memory: 60 } }],
      ['POST', '/v1/leases', 400, {}],
      ['GET', '/v1/leases', 200],
      ['GET', `/v1/leases/${held.id}`, 200],
      ['GET', '/v1/requests', 200],
      ['GET', '/v1/requests/waits', 200],
      ['DELETE', '/v1/requests/waits', 200],
      ['DELETE', '/v1/requests/also', 200],
      ['POST', '/v1/leases', 201, { requirements: { memory: 1 } }],
      ['POST', `/v1/leases/${held.id}/renew`, 200, { token: held.token }],
      ['POST', `/v1/leases/${held.id}/revoke`, 200, { reason: 'r' }],
      ['POST', `/v1/leases/${held.id}/release`, 200, { token: held.token }],
      ['POST', `/v1/leases/${held.id}/release`, 409, { token: held.token + 1 }],
      ['GET', '/v1/pool', 200],
      ['GET', '/v1/pool?revision=4', 200],
      ['GET', '/v1/events', 200],
      ['GET', '/v1/refusals', 200],
      ['POST', '/v1/tiers/all/cordon', 200, {}],
      ['POST', '/v1/leases', 503, { requirements: { memory: 1 } }],
      ['POST', '/v1/tiers/all/uncordon', 200, {}],
      ['POST', '/v1/breaker', 200, { mode: 'closed' }],
      ['GET', '/v1/config', 200],
      ['PATCH', '/v1/config', 200, { maxPoolSize: 5_000 }, { 'if-match': '*' }],
      ['PATCH', '/v1/config', 428, { maxPoolSize: 5_000 }],
      ['GET', '/v1/utilization', 200],
      ['GET', '/v1/metrics.json', 200],
      ['GET', '/readyz', 200],
      ['GET', '/readyz?verbose', 200],
      ['GET', '/v1/leases/none', 404],
    ];
    for (const [method, path, status, body, headers] of rows) {
      const reply = await ask(url, method, path, { body, ...(headers === undefined ? {} : { headers }) });
      expect(reply.status, path).toBe(status);
      const name = schemaOf(document, method, path, status);
      expect([...Value.Errors(closed(schemas[name]!), reply.body)], `${method} ${path} as ${name}`).toEqual([]);
    }
  });
});

function schemaOf(document: Document, method: string, path: string, status: number): string {
  const template = path
    .split('?')[0]!
    .replace(/(leases|requests)\/[^/]+/, '$1/{id}')
    .replace(/tiers\/[^/]+/, 'tiers/{tier}');
  const content = document.paths[template]![method.toLowerCase()]!.responses[String(status)]!.content!;
  const media = content['application/json'] ?? content['application/problem+json'];
  return media!.schema.$ref!.split('/').at(-1)!;
}

/** Components with every reference replaced by what it leads to. */
function inlined(schemas: Record<string, object>): Record<string, object> {
  const resolve = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(resolve);
    const { $ref } = value as { $ref?: string };
    if ($ref !== undefined) return resolve(schemas[$ref.split('/').at(-1)!]);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, resolve(inner)]));
  };
  return resolve(schemas) as Record<string, object>;
}

/** The schema, and no field beside those it names: an answer may have none that is not written down. */
function closed(schema: object): TSchema {
  const close = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(close);
    const copy = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, close(inner)]));
    return 'properties' in copy && !('additionalProperties' in copy) ? { ...copy, additionalProperties: false } : copy;
  };
  return Type.Unsafe(close(schema) as object);
}

describe('the schema of an allocate and its judge agree', () => {
  const base = { requirements: { memory: 10, cpu: '50%' } };
  const texts = [null, 'a', 'A.b:c-9', '', 'a b', 'x'.repeat(128), 'x'.repeat(129), 7, true, {}, []];
  const times = [null, 0, 1, 5_000, 366 * 86_400_000, 366 * 86_400_000 + 1, -1, 1.5, '5', true];
  const rows: unknown[] = [
    base,
    {},
    [],
    'text',
    { requirements: 5 },
    { requirements: {} },
    { ...base, surprise: 1 },
    ...['id', 'priority', 'owner', 'tier', 'idempotencyKey'].flatMap((field) =>
      texts.map((value) => ({ ...base, [field]: value })),
    ),
    ...['ttlMs', 'waitMs'].flatMap((field) => times.map((value) => ({ ...base, [field]: value }))),
    ...[{}, null, { a: 'b' }, { a: 5 }, { 'a b': 'c' }, 'x', [], { a: 'x'.repeat(257) }].map((labels) => ({
      ...base,
      labels,
    })),
    ...[null, { memory: 5 }, { memory: true }, { 'Bad Name': 1 }, 3, []].map((minimum) => ({ ...base, minimum })),
    ...[true, null, {}, -1].map((memory) => ({ requirements: { memory } })),
    ...[true, {}, []].map((deadline) => ({ ...base, deadline })),
  ];

  test(`${rows.length} requests that a schema can judge`, () => {
    for (const row of rows) {
      const errors: FieldError[] = [];
      parseRequest(row, 'made', errors);
      const found = [...Value.Errors(AllocationBody, row)];
      expect(
        found.length === 0,
        `${JSON.stringify(row).slice(0, 200)}: ${JSON.stringify(errors)} / ${JSON.stringify(found)}`,
      ).toBe(errors.length === 0);
    }
  });
});
