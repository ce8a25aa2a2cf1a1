import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { everything, STORES, servePool } from './support/pool.ts';
import { ask, expectProblem } from './support/serve.ts';

interface Row {
  readonly route: string;
  readonly body: object;
  /** Another thing under the same key. */
  readonly other?: object;
}

/** Every POST there is; a PATCH needs none. */
const ROWS: readonly Row[] = [
  {
    route: 'POST /v1/leases',
    body: { id: 'new', requirements: { cpu: 1 } },
    other: { requirements: { cpu: 2 } },
  },
  { route: 'POST /v1/leases/ID/renew', body: { token: 1, ttlMs: 60_000 }, other: { token: 1, ttlMs: 70_000 } },
  { route: 'POST /v1/tiers/all/cordon', body: {} },
  { route: 'POST /v1/tiers/all/uncordon', body: {} },
  { route: 'POST /v1/breaker', body: { mode: 'disabled' }, other: { mode: 'closed' } },
  {
    route: 'POST /v1/leases/ID/revoke',
    body: { reason: 'r', graceMs: 60_000 },
    other: { reason: 'another', graceMs: 60_000 },
  },
  { route: 'POST /v1/leases/ID/release', body: { token: 1 }, other: { token: 2 } },
  { route: 'POST /v1/tiers/all/drain', body: { deadlineMs: 60_000 }, other: { deadlineMs: 70_000 } },
];

test('every POST is among them', async () => {
  const { paths } = JSON.parse(await readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8'));
  const posts = Object.keys(paths).filter((path) => paths[path].post !== undefined);
  const named = ROWS.map(({ route }) => route.split(' ')[1]!.replace('ID', '{id}').replace('/all/', '/{tier}/'));
  expect(named.sort()).toEqual(posts.sort());
});

describe.each(STORES)('an Idempotency-Key (%s)', (store) => {
  test('on any verb: a repeat does nothing again and says so, another body under it is refused', async () => {
    const config = { load: { dwellMs: 3_600_000 } }; // no load is judged anew between two looks
    const pool = await servePool({ store, config: config as object });
    const { url } = pool;
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 90 } } });
    const waits = { id: 'waits', requirements: { memory: 50 }, waitMs: 60_000 };
    await ask(url, 'POST', '/v1/leases', { body: waits, headers: { prefer: 'respond-async' } });
    for (const [i, { route, body, other }] of ROWS.entries()) {
      const [method, path] = route.replace('ID', lease.id).split(' ') as [string, string];
      const call = (what: object) => ask(url, method, path, { body: what, headers: { 'idempotency-key': `key-${i}` } });
      const first = await call(body);
      expect(first.status, `${route} ${JSON.stringify(first.body)}`).toBeLessThan(300);
      expect(first.headers.get('idempotent-replayed'), route).toBe(null);
      const after = await everything(pool);
      const again = await call(body);
      expect([again.status, again.headers.get('idempotent-replayed')], route).toEqual([first.status, 'true']);
      expect(again.body, route).toEqual(first.body);
      if (other !== undefined) expectProblem(await call(other), 'IDEMPOTENCY_KEY_REUSED');
      expect(await everything(pool), route).toMatchObject({ ...(after as object), refusals: expect.any(Number) });
    }
  });

  test('on the cancellation of a request: a repeat is answered as the first was', async () => {
    const { url } = await servePool({ store });
    await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 90 } } });
    const waits = { id: 'waits', requirements: { memory: 50 }, waitMs: 60_000 };
    await ask(url, 'POST', '/v1/leases', { body: waits, headers: { prefer: 'respond-async' } });
    const cancel = (key: string, id = 'waits') =>
      ask(url, 'DELETE', `/v1/requests/${id}`, { headers: { 'idempotency-key': key } });
    const first = await cancel('k');
    expect(first).toMatchObject({ status: 200, body: { requestId: 'waits', position: 0 } });
    const again = await cancel('k');
    expect([again.status, again.body]).toEqual([200, first.body]);
    expect([first, again].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expectProblem(await cancel('k', 'another'), 'IDEMPOTENCY_KEY_REUSED');
    expectProblem(await cancel('other'), 'NOT_FOUND');
  });

  test('answers a repeat also where If-Match names what was before the first', async () => {
    const { url } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } });
    const headers = { 'idempotency-key': 'k', 'if-match': `"${lease.revision}"` };
    const renew = () => ask(url, 'POST', `/v1/leases/${lease.id}/renew`, { body: { token: lease.token }, headers });
    const first = await renew();
    expect((await renew()).body).toEqual(first.body);
    const unkeyed = { body: { token: lease.token }, headers: { 'if-match': `"${lease.revision}"` } };
    expectProblem(await ask(url, 'POST', `/v1/leases/${lease.id}/renew`, unkeyed), 'REVISION_MISMATCH');
  });
});
