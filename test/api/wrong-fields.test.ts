import { describe, expect, test } from 'vitest';
import type { LeaseView } from '../../src/model/views.ts';
import { everything, STORES, servePool } from './support/pool.ts';
import { ask, expectProblem } from './support/serve.ts';

interface Row {
  readonly route: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly wrong: readonly string[];
}

const text200 = 'x'.repeat(200);
const asked = { requirements: { memory: 10 } };
/** So many bytes of labels, in texts of characters of three bytes. */
const labelsOf = (bytes: number): Record<string, string> => {
  const whole = Math.floor(bytes / 302);
  const labels = Object.fromEntries(
    Array.from({ length: whole }, (_, n) => [String(n).padStart(2, '0'), '漢'.repeat(100)]),
  );
  return { ...labels, rest: 'x'.repeat(bytes - whole * 302 - 4) };
};

/** Each field of each route, wrong in turn, and the path that the answer must name. */
const rowsFor = ({ id, token }: LeaseView, etag: string): readonly Row[] => [
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
  ...[-1, 'many', '1Zi', null, true, 1e308, 1e-9, {}, [], '9'.repeat(500), `1${' '.repeat(64)}Mi`].map((memory) =>
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
  row('POST /v1/leases', ['labels'], { ...asked, labels: labelsOf(4_097) }),
  row('POST /v1/leases', ['labels.team'], { ...asked, labels: { team: 'half a pair: \ud83d' } }),
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
  row('POST /v1/leases', ['request'], null),
  row('POST /v1/breaker', ['body'], null),
  row('PATCH /v1/config', ['body'], null, { 'if-match': etag }),
  ...['release', 'renew'].flatMap((verb) => [
    row(`POST /v1/leases/${id}/${verb}`, ['token'], {}),
    row(`POST /v1/leases/${id}/${verb}`, ['token'], undefined),
    ...['7', 0, -1, 1.5, null, true, 2 ** 53].map((wrong) =>
      row(`POST /v1/leases/${id}/${verb}`, ['token'], { token: wrong }),
    ),
    row(`POST /v1/leases/${id}/${verb}`, ['surprise'], { token, surprise: 1 }),
    row(`POST /v1/leases/${id}/${verb}`, ['body'], [token]),
    row(`POST /v1/leases/${id}/${verb}`, ['headers.if-match'], { token }, { 'if-match': '12' }),
    row(`POST /v1/leases/${id}/${verb}`, ['headers.x-actor'], { token }, { 'x-actor': '%' }),
    row(`POST /v1/leases/${id}/${verb}`, ['headers.idempotency-key'], { token }, { 'idempotency-key': 'a/b' }),
    row(`POST /v1/leases/a%20b/${verb}`, ['path.id'], { token }),
  ]),
  ...[0, -1, '5', 1.5, null].map((ttlMs) => row(`POST /v1/leases/${id}/renew`, ['ttlMs'], { token, ttlMs })),
  row(`POST /v1/leases/${id}/revoke`, ['reason'], {}),
  ...['', 'x'.repeat(257), 5, null, '\ude00'].map((reason) =>
    row(`POST /v1/leases/${id}/revoke`, ['reason'], { reason }),
  ),
  ...[-1, '5', 1.5].map((graceMs) => row(`POST /v1/leases/${id}/revoke`, ['graceMs'], { reason: 'r', graceMs })),
  row(`POST /v1/leases/${id}/revoke`, ['token'], { reason: 'r', token }),
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
  row(`GET /v1/leases/${id}`, ['headers.if-none-match'], undefined, { 'if-none-match': 'abc' }),
  row('GET /v1/requests/a%20b', ['path.id']),
  row('GET /v1/requests?surprise=1', ['query.surprise']),
  row('DELETE /v1/requests/a%20b', ['path.id']),
  row('DELETE /v1/requests/waits', ['headers.x-actor'], undefined, { 'x-actor': 'a b' }),
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
    row(`POST /v1/tiers/all/${verb}`, ['surprise'], { surprise: 1 }),
  ]),
  row('POST /v1/tiers/all/drain', ['deadlineMs'], {}),
  ...[-1, '5', null, 1.5].map((deadlineMs) => row('POST /v1/tiers/all/drain', ['deadlineMs'], { deadlineMs })),
  row('POST /v1/breaker', ['mode'], {}),
  ...['open', 'halfOpen', 7, null].map((mode) => row('POST /v1/breaker', ['mode'], { mode })),
  row('GET /v1/config?surprise=1', ['query.surprise']),
  row('PATCH /v1/config', ['headers.if-match'], {}, { 'if-match': '2' }),
  row('PATCH /v1/config', ['body'], [1], { 'if-match': etag }),
  row('GET /v1/utilization?surprise=1', ['query.surprise']),
  row('GET /v1/metrics.json?surprise=1', ['query.surprise']),
  row('GET /readyz?surprise=1', ['query.surprise']),
];

function row(route: string, wrong: readonly string[], body?: unknown, headers?: Record<string, string>): Row {
  return { route, wrong, ...(body === undefined ? {} : { body }), ...(headers === undefined ? {} : { headers }) };
}

describe.each(STORES)('a wrong field is named with what is allowed, and nothing is changed (%s)', (store) => {
  test('each field of each route, in turn', async () => {
    const pool = await servePool({ store });
    const { url } = pool;
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 60 } } });
    const waits = { id: 'waits', requirements: { memory: 60 }, waitMs: 60_000 };
    await ask(url, 'POST', '/v1/leases', { body: waits, headers: { prefer: 'respond-async' } });
    const etag = (await ask(url, 'GET', '/v1/config')).headers.get('etag')!;
    const before = await everything(pool);
    const rows = rowsFor(lease, etag);
    expect(rows.length).toBeGreaterThan(190);
    for (const { route, body, headers, wrong } of rows) {
      const [method, path] = route.split(' ') as [string, string];
      const reply = await ask(url, method, path, { body, ...(headers === undefined ? {} : { headers }) });
      const what = `${route} ${JSON.stringify(headers ?? {})} ${JSON.stringify(body)?.slice(0, 200)}`;
      expect(reply.status, `${what}: ${JSON.stringify(reply.body)}`).toBe(400);
      expectProblem(reply, 'INVALID_REQUEST');
      const errors = reply.body.errors as { path: string; value: unknown; allowed: string }[];
      expect(errors.map(({ path: at }) => at).sort(), what).toEqual([...wrong].sort());
      for (const { allowed } of errors) expect(allowed.length, what).toBeGreaterThan(3);
      expect(await everything(pool), what).toEqual(before);
    }
  });

  test('an answer is bounded, however much is wrong', async () => {
    const pool = await servePool({ store });
    const many = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`field${i}`, 'x']));
    const reply = await ask(pool.url, 'POST', '/v1/leases', { body: many });
    expect(reply.status).toBe(400);
    expect(reply.body.errors).toHaveLength(100);
    expect(JSON.stringify(reply.body).length).toBeLessThan(64 * 1024);
  });
});

describe('what only the pool can judge', () => {
  const asked = { requirements: { memory: 10 } };
  test.each([
    ['a class that is not configured', { ...asked, priority: 'urgent' }, 'priority', /critical, high, normal, low/],
    ['a tier that is not there', { ...asked, tier: 'none' }, 'tier', /all/],
    ['a TTL that is too long', { ...asked, ttlMs: 86_400_001 }, 'ttlMs', /100 to 86400000/],
    ['a TTL that is too short', { ...asked, ttlMs: 99 }, 'ttlMs', /100 to 86400000/],
  ])('%s is named, with what there is', async (_, body, path, allowed) => {
    const pool = await servePool();
    const before = await everything(pool);
    const reply = await ask(pool.url, 'POST', '/v1/leases', { body });
    expectProblem(reply, 'INVALID_REQUEST');
    expect(reply.body.errors).toEqual([{ path, value: expect.anything(), allowed: expect.stringMatching(allowed) }]);
    expect(await everything(pool)).toMatchObject({ ...(before as object), refusals: expect.any(Number) });
  });

  test('a dimension that the pool does not have can never fit: there is none of it', async () => {
    const { url } = await servePool();
    const reply = await ask(url, 'POST', '/v1/leases', { body: { requirements: { gpu: 1 } } });
    expectProblem(reply, 'NEVER_FITS');
    expect(reply.body.ceiling).toEqual({ gpu: 0 });
  });
});
