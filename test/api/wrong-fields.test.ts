import { describe, expect, test } from 'vitest';
import type { PoolService } from '../../src/manager/service.ts';
import { PoolError } from '../../src/model/errors.ts';
import { ask, expectProblem, serve } from './support/serve.ts';
import { smallService } from './support/small-service.ts';

const CHANGES = [
  'releaseLease',
  'renewLease',
  'revokeLease',
  'cancelRequest',
  'cordonTier',
  'uncordonTier',
  'drainTier',
  'setBreaker',
  'patchConfig',
] as const;

/** Any call that would change something fails the test. */
function untouchable(): PoolService {
  const refuse = async (): Promise<never> => {
    throw new PoolError('INTERNAL', 'a wrong request came through');
  };
  return smallService(Object.fromEntries(CHANGES.map((name) => [name, refuse])));
}

interface Row {
  readonly route: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly wrong: readonly string[];
}

const text200 = 'x'.repeat(200);
const lease = 'POST /v1/leases/lease-1';
const asked = { requirements: { memory: 10 } };

/** Each field of each route, wrong in turn, and the path that the answer must name. */
const ROWS: readonly Row[] = [
  ...['', '"', '"x', 'a b', text200].map((key) =>
    row('POST /v1/leases', ['headers.idempotency-key'], asked, { 'idempotency-key': key }),
  ),
  row('POST /v1/leases', ['headers.x-actor'], asked, { 'x-actor': 'a b' }),
  row('POST /v1/leases', ['headers.prefer'], asked, { prefer: 'wait=soon' }),
  row('POST /v1/leases', ['headers.prefer'], asked, { prefer: 'wait=-1' }),
  row('POST /v1/leases', ['headers.prefer'], asked, { prefer: 'respond-async, wait=99999999' }),
  row('POST /v1/leases', ['headers.idempotency-key'], { ...asked, idempotencyKey: 'a' }, { 'idempotency-key': 'b' }),
  row('POST /v1/leases', ['requirements'], {}),
  row('POST /v1/leases', ['requirements'], undefined),
  row('POST /v1/leases', ['requirements'], { requirements: 5 }),
  row('POST /v1/leases', ['requirements'], { requirements: {} }),
  row('POST /v1/leases', ['requirements'], { requirements: { memory: 0 } }),
  ...[-1, 'many', '1Zi', null, true, 1e308, 1e-9, {}, [], '9'.repeat(500)].map((memory) =>
    row('POST /v1/leases', ['requirements.memory'], { requirements: { memory } }),
  ),
  row('POST /v1/leases', ['requirements.Bad Name'], { requirements: { 'Bad Name': 1 } }),
  ...['id', 'type', 'priority', 'owner', 'tier', 'idempotencyKey'].flatMap((field) =>
    ['', 'a b', text200, 7, true, {}, []].map((value) => row('POST /v1/leases', [field], { ...asked, [field]: value })),
  ),
  row('POST /v1/leases', ['type'], { ...asked, type: 'gpu' }),
  row('POST /v1/leases', ['minimum'], { ...asked, minimum: 3 }),
  row('POST /v1/leases', ['minimum.memory'], { ...asked, minimum: { memory: 11 } }),
  row('POST /v1/leases', ['labels'], { ...asked, labels: 'x' }),
  row('POST /v1/leases', ['labels'], { ...asked, labels: { 'a b': 'x' } }),
  row('POST /v1/leases', ['labels.team'], { ...asked, labels: { team: 5 } }),
  ...['ttlMs', 'waitMs'].flatMap((field) =>
    [-1, 1.5, '5', true, 1e300].map((value) => row('POST /v1/leases', [field], { ...asked, [field]: value })),
  ),
  row('POST /v1/leases', ['ttlMs'], { ...asked, ttlMs: 0 }),
  row('POST /v1/leases', ['deadline'], { ...asked, deadline: 'tomorrow' }),
  row('POST /v1/leases', ['signal'], { ...asked, signal: {} }),
  row('POST /v1/leases', ['surprise'], { ...asked, surprise: 1 }),
  row(
    'POST /v1/leases',
    ['requirements.cpu', 'ttlMs', 'headers.idempotency-key'],
    { requirements: { cpu: -1 }, ttlMs: -1 },
    { 'idempotency-key': 'a b' },
  ),
  row('POST /v1/leases', ['request'], [1]),
  ...['release', 'renew'].flatMap((verb) => [
    row(`${lease}/${verb}`, ['token'], {}),
    row(`${lease}/${verb}`, ['token'], undefined),
    ...['7', 0, -1, 1.5, null, true, 2 ** 53].map((token) => row(`${lease}/${verb}`, ['token'], { token })),
    row(`${lease}/${verb}`, ['surprise'], { token: 7, surprise: 1 }),
    row(`${lease}/${verb}`, ['body'], [7]),
    row(`${lease}/${verb}`, ['headers.if-match'], { token: 7 }, { 'if-match': '12' }),
    row(`${lease}/${verb}`, ['headers.x-actor'], { token: 7 }, { 'x-actor': '%' }),
    row(`${lease}/${verb}`, ['headers.idempotency-key'], { token: 7 }, { 'idempotency-key': 'a/b' }),
    row(`POST /v1/leases/a%20b/${verb}`, ['path.id'], { token: 7 }),
  ]),
  ...[0, -1, '5', 1.5, null].map((ttlMs) => row(`${lease}/renew`, ['ttlMs'], { token: 7, ttlMs })),
  row(`${lease}/revoke`, ['reason'], {}),
  ...['', 'x'.repeat(257), 5, null].map((reason) => row(`${lease}/revoke`, ['reason'], { reason })),
  ...[-1, '5', 1.5].map((graceMs) => row(`${lease}/revoke`, ['graceMs'], { reason: 'r', graceMs })),
  row(`${lease}/revoke`, ['token'], { reason: 'r', token: 7 }),
  row('GET /v1/leases?limit=0', ['query.limit']),
  row('GET /v1/leases?limit=1001', ['query.limit']),
  row('GET /v1/leases?limit=01', ['query.limit']),
  row('GET /v1/leases?limit=ten', ['query.limit']),
  row('GET /v1/leases?limit=1&limit=2', ['query.limit']),
  row('GET /v1/leases?state=gone', ['query.state']),
  row('GET /v1/leases?owner=a%20b', ['query.owner']),
  row('GET /v1/leases?tier=', ['query.tier']),
  row('GET /v1/leases?priority=%2F', ['query.priority']),
  row('GET /v1/leases?cursor=', ['query.cursor']),
  row('GET /v1/leases?surprise=1', ['query.surprise']),
  row('GET /v1/leases?limit=0&state=gone&surprise=1', ['query.limit', 'query.state', 'query.surprise']),
  row('GET /v1/leases/a%20b', ['path.id']),
  row('GET /v1/leases/lease-1', ['headers.if-none-match'], undefined, { 'if-none-match': 'abc' }),
  row('GET /v1/requests/a%20b', ['path.id']),
  row('GET /v1/requests?surprise=1', ['query.surprise']),
  row('DELETE /v1/requests/a%20b', ['path.id']),
  row('DELETE /v1/requests/task-2', ['headers.x-actor'], undefined, { 'x-actor': 'a b' }),
  row('GET /v1/pool?revision=-1', ['query.revision']),
  row('GET /v1/pool?revision=1.5', ['query.revision']),
  row('GET /v1/pool?at=yesterday', ['query.at']),
  row('GET /v1/pool?at=5&revision=5', ['query.at']),
  row('GET /v1/pool?surprise=1', ['query.surprise']),
  ...['events', 'refusals'].flatMap((log) => [
    row(`GET /v1/${log}?from=x`, ['query.from']),
    row(`GET /v1/${log}?to=-1`, ['query.to']),
    row(`GET /v1/${log}?from=5&to=4`, ['query.to']),
    row(`GET /v1/${log}?type=Nothing`, ['query.type']),
    row(`GET /v1/${log}?lease=a%20b`, ['query.lease']),
    row(`GET /v1/${log}?owner=a%20b`, ['query.owner']),
    row(`GET /v1/${log}?limit=0`, ['query.limit']),
    row(`GET /v1/${log}`, ['headers.last-event-id'], undefined, { accept: 'text/event-stream', 'last-event-id': 'x' }),
    row(`GET /v1/${log}?limit=5`, ['query.limit'], undefined, { accept: 'text/event-stream' }),
  ]),
  ...['cordon', 'uncordon'].flatMap((verb) => [
    row(`POST /v1/tiers/a%20b/${verb}`, ['path.tier'], {}),
    row(`POST /v1/tiers/standard/${verb}`, ['surprise'], { surprise: 1 }),
  ]),
  row('POST /v1/tiers/standard/drain', ['deadlineMs'], {}),
  ...[-1, '5', null, 1.5].map((deadlineMs) => row('POST /v1/tiers/standard/drain', ['deadlineMs'], { deadlineMs })),
  row('POST /v1/breaker', ['mode'], {}),
  ...['open', 'halfOpen', 7, null].map((mode) => row('POST /v1/breaker', ['mode'], { mode })),
  row('GET /v1/config?surprise=1', ['query.surprise']),
  row('PATCH /v1/config', ['headers.if-match'], {}, { 'if-match': '2' }),
  row('PATCH /v1/config', ['body'], [1], { 'if-match': '"2"' }),
  row('GET /v1/utilization?surprise=1', ['query.surprise']),
  row('GET /v1/metrics.json?surprise=1', ['query.surprise']),
  row('GET /readyz?surprise=1', ['query.surprise']),
];

function row(route: string, wrong: readonly string[], body?: unknown, headers?: Record<string, string>): Row {
  return { route, wrong, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) };
}

describe('a wrong field is named with what is allowed, and nothing is done', () => {
  test(`${ROWS.length} wrong requests`, async () => {
    const { url } = await serve(untouchable());
    for (const { route, body, headers, wrong } of ROWS) {
      const [method, path] = route.split(' ') as [string, string];
      const reply = await ask(url, method, path, { body, ...(headers === undefined ? {} : { headers }) });
      const what = `${route} ${JSON.stringify(headers ?? {})} ${JSON.stringify(body)?.slice(0, 200)}`;
      expect(reply.status, `${what}: ${JSON.stringify(reply.body)}`).toBe(400);
      expectProblem(reply, 'INVALID_REQUEST');
      const errors = reply.body.errors as { path: string; allowed: string }[];
      expect(errors.map(({ path: at }) => at).sort(), what).toEqual([...wrong].sort());
      for (const { allowed } of errors) expect(allowed.length, what).toBeGreaterThan(3);
    }
  });

  test('an answer is bounded, however much is wrong', async () => {
    const { url } = await serve(untouchable());
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`field${i}`, 'x']));
    const reply = await ask(url, 'POST', '/v1/leases', { body: many });
    expect(reply.status).toBe(400);
    expect(reply.body.errors).toHaveLength(100);
    expect(JSON.stringify(reply.body).length).toBeLessThan(64 * 1024);
  });
});
