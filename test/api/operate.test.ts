import { describe, expect, test } from 'vitest';
import { STORES, servePool } from './support/pool.ts';
import { ask, expectProblem } from './support/serve.ts';

describe.each(STORES)('conditional requests (RFC 9110, 13; %s)', (store) => {
  test('a lease has its revision as ETag, and If-None-Match answers 304', async () => {
    const { url } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } });
    const get = (tag?: string) =>
      ask(url, 'GET', `/v1/leases/${lease.id}`, tag === undefined ? {} : { headers: { 'if-none-match': tag } });
    const etag = `"${lease.revision}"`;
    expect((await get()).headers.get('etag')).toBe(etag);
    for (const tag of [etag, `W/${etag}`, `"99", ${etag}`, '*']) {
      const reply = await get(tag);
      expect(reply.status, tag).toBe(304);
      expect(reply.body).toBe('');
    }
    expect((await get('"99"')).status).toBe(200);
    await ask(url, 'POST', `/v1/leases/${lease.id}/renew`, { body: { token: lease.token } });
    expect((await get(etag)).status).toBe(200);
  });

  test('If-Match that names another revision of the lease is 412, and nothing is done', async () => {
    const { url } = await servePool({ store });
    for (const verb of ['renew', 'release', 'revoke']) {
      const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } });
      const body = verb === 'revoke' ? { reason: 'r', graceMs: 0 } : { token: lease.token };
      const post = (tag: string) =>
        ask(url, 'POST', `/v1/leases/${lease.id}/${verb}`, { body, headers: { 'if-match': tag } });
      for (const tag of [`"${lease.revision - 1}"`, `W/"${lease.revision}"`, '"1", "2"']) {
        const reply = await post(tag);
        expectProblem(reply, 'REVISION_MISMATCH');
        expect(reply.body.revision).toBe(lease.revision);
      }
      expect((await ask(url, 'GET', `/v1/leases/${lease.id}`)).body).toEqual(lease);
      expect((await post(`"1", "${lease.revision}"`)).status, verb).toBe(200);
    }
  });

  test('PATCH config needs If-Match, so that no change of somebody else is lost', async () => {
    const { url, manager } = await servePool({ store });
    const read = async () => ask(url, 'GET', '/v1/config');
    const before = await read();
    const etag = before.headers.get('etag')!;
    const patch = (tag: string | undefined, body: object = { maxPoolSize: 500 }, type = 'application/json') =>
      ask(url, 'PATCH', '/v1/config', {
        body,
        headers: { 'x-actor': 'ann', 'content-type': type, ...(tag === undefined ? {} : { 'if-match': tag }) },
      });
    expectProblem(await patch(undefined), 'PRECONDITION_REQUIRED');
    expectProblem(await patch('"999"'), 'REVISION_MISMATCH');
    expectProblem(await patch('"998", "999"'), 'REVISION_MISMATCH');
    expect((await read()).body).toEqual(before.body);

    const first = await patch(etag);
    expect(first.body).toEqual({ ...before.body, maxPoolSize: 500 });
    expect((await read()).headers.get('etag')).toBe(first.headers.get('etag'));
    expectProblem(await patch(etag, { maxPoolSize: 600 }), 'REVISION_MISMATCH');
    const merged = await patch(
      `"1", ${first.headers.get('etag')}`,
      { leases: { graceMs: 5 } },
      'application/merge-patch+json',
    );
    expect(merged.body.leases).toEqual({ ...before.body.leases, graceMs: 5 });
    expect((await patch('*', { cacheMaxSize: 5 })).body).toMatchObject({ cacheMaxSize: 5, maxPoolSize: 500 });
    const changes = (await manager.pageEvents({ types: ['ConfigChanged'] }, {})).items;
    expect(changes.slice(-3).map(({ metadata }) => metadata.actor)).toEqual(['ann', 'ann', 'ann']);
  });

  test('two changes on one ETag: one of them is refused', async () => {
    const { url } = await servePool({ store });
    const etag = (await ask(url, 'GET', '/v1/config')).headers.get('etag')!;
    const replies = await Promise.all(
      [501, 502].map((maxPoolSize) =>
        ask(url, 'PATCH', '/v1/config', { body: { maxPoolSize }, headers: { 'if-match': etag } }),
      ),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412]);
  });
});

describe.each(STORES)('operating a pool over HTTP (%s)', (store) => {
  test('a tier is cordoned, opened, and drained: it admits nothing, and is emptied at the deadline', async () => {
    const { url } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } });
    const post = (verb: string, body: object = {}) => ask(url, 'POST', `/v1/tiers/all/${verb}`, { body });
    const asks = () => ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } });
    expect((await post('cordon')).body).toMatchObject({ name: 'all', admission: 'cordoned', free: { memory: 0 } });
    expectProblem(await asks(), 'TIER_CLOSED');
    expect((await post('uncordon')).body.admission).toBe('open');
    expect((await asks()).status).toBe(201);
    expect((await post('drain', { deadlineMs: 200 })).body.admission).toBe('draining');
    expectProblem(await asks(), 'TIER_CLOSED');
    await expect.poll(async () => (await ask(url, 'GET', '/v1/pool')).body.tiers[0].admission).toBe('drained');
    expect((await ask(url, 'GET', `/v1/leases/${lease.id}`)).body).toMatchObject({ reason: 'drained' });
    expectProblem(await ask(url, 'POST', '/v1/tiers/none/cordon', { body: {} }), 'NOT_FOUND');
  });

  test('the breaker is set by hand: it stops allocates, and lets releases, renewals and cancellations pass', async () => {
    const { url } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 60 } } });
    const waiting = ask(url, 'POST', '/v1/leases', { body: { id: 'w', requirements: { memory: 60 }, waitMs: 60_000 } });
    await expect.poll(async () => (await ask(url, 'GET', '/v1/requests')).body.items.length).toBe(1);
    const set = (mode: string) => ask(url, 'POST', '/v1/breaker', { body: { mode } });
    expect((await set('forcedOpen')).body).toEqual({ mode: 'forcedOpen', until: null });
    const refused = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } });
    expectProblem(refused, 'BREAKER_OPEN');
    expect((await ask(url, 'DELETE', '/v1/requests/w')).status).toBe(200);
    expectProblem(await waiting, 'CANCELLED');
    for (const verb of ['renew', 'release'])
      expect((await ask(url, 'POST', `/v1/leases/${lease.id}/${verb}`, { body: { token: lease.token } })).status).toBe(
        200,
      );
    expect((await set('closed')).body.mode).toBe('closed');
    expect((await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } })).status).toBe(201);
    const { items } = (await ask(url, 'GET', '/v1/events?type=BreakerModeChanged')).body;
    expect(items.map(({ data }: { data: { to: string } }) => data.to)).toEqual(['forcedOpen', 'closed']);
  });

  test('the pool as it was, at a revision and at a time', async () => {
    const { url } = await servePool({ store });
    const before = (await ask(url, 'GET', '/v1/pool')).body;
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 10 } } });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await ask(url, 'POST', `/v1/leases/${lease.id}/release`, { body: { token: lease.token } });
    const at = async (query: string) => (await ask(url, 'GET', `/v1/pool?${query}`)).body;
    expect(await at(`revision=${before.revision}`)).toEqual(before);
    const during = await at(`revision=${lease.revision}`);
    expect(during).toMatchObject({ revision: lease.revision, leases: 1, utilization: { memory: 0.1 } });
    expect(await at(`at=${lease.grantedAt}`)).toEqual(during);
    expect(await at(`at=${new Date(lease.grantedAt).toISOString()}`)).toEqual(during);
    expect((await ask(url, 'GET', '/v1/pool')).body).toMatchObject({ revision: lease.revision + 1, leases: 0 });
    expectProblem(await ask(url, 'GET', '/v1/pool?revision=99999'), 'NOT_FOUND');
    expectProblem(await ask(url, 'GET', '/v1/pool?at=5'), 'NOT_FOUND');
    const used = (await ask(url, 'GET', '/v1/utilization')).body;
    expect(used).toMatchObject({ revision: lease.revision + 1, now: { memory: 0 }, tiers: { all: { memory: 0 } } });
  });
});
