import { describe, expect, test } from 'vitest';
import { MiB, STORES, servePool } from './support/pool.ts';
import { ask, expectProblem } from './support/serve.ts';

const memory = (amount: number, more: object = {}) => ({ body: { requirements: { memory: amount }, ...more } });
const lasting = { ttlMs: 60_000 };

describe.each(STORES)('the life of a lease over HTTP (%s)', (store) => {
  test('is granted, read, renewed and released; a second release answers as the first', async () => {
    const { url } = await servePool({ store });
    const granted = await ask(
      url,
      'POST',
      '/v1/leases',
      memory(40, { id: 'task-1', owner: 'ann', labels: { a: 'b' } }),
    );
    const { id, token, revision } = granted.body;
    expect(granted.status).toBe(201);
    expect(granted.headers.get('location')).toBe(`/v1/leases/${id}`);
    expect(granted.headers.get('etag')).toBe(`"${revision}"`);
    expect(granted.body).toMatchObject({
      requestId: 'task-1',
      owner: 'ann',
      tier: 'all',
      priority: 'normal',
      requirements: { memory: 40 },
      amounts: { memory: 40 * MiB },
      borrowed: null,
      labels: { a: 'b' },
      state: 'active',
      ttlMs: 300_000,
      expiresAt: granted.body.grantedAt + 300_000,
    });
    expect((await ask(url, 'GET', `/v1/leases/${id}`)).body).toEqual(granted.body);

    const renewed = await ask(url, 'POST', `/v1/leases/${id}/renew`, { body: { token, ttlMs: 600_000 } });
    expect(renewed.body).toMatchObject({ id, token, ttlMs: 600_000, state: 'active' });
    expect(renewed.body.expiresAt).toBeGreaterThan(granted.body.expiresAt);
    expect(renewed.body.revision).toBeGreaterThan(revision);

    const released = await ask(url, 'POST', `/v1/leases/${id}/release`, { body: { token } });
    expect(released.body).toMatchObject({ id, state: 'released', reason: null, endedAt: expect.any(Number) });
    const again = await ask(url, 'POST', `/v1/leases/${id}/release`, { body: { token } });
    expect(again.body).toEqual(released.body);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect((await ask(url, 'GET', `/v1/leases/${id}`)).body).toEqual(released.body);
    expect((await ask(url, 'GET', '/v1/metrics.json')).body).toMatchObject({
      releasedTotal: 1,
      duplicateReleasesTotal: 1,
    });
  });

  test('another token than its own is FENCED, with reason and revision; so is whatever comes after its end', async () => {
    const { url, manager } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', memory(10, lasting));
    for (const verb of ['release', 'renew']) {
      const stale = await ask(url, 'POST', `/v1/leases/${lease.id}/${verb}`, { body: { token: lease.token + 1 } });
      expectProblem(stale, 'FENCED');
      expect(stale.body).toMatchObject({ reason: 'token', revision: lease.revision });
    }
    const revoked = await ask(url, 'POST', `/v1/leases/${lease.id}/revoke`, {
      body: { reason: 'why not', graceMs: 0 },
    });
    expect(revoked.body).toMatchObject({ state: 'reclaimed', reason: 'revoked' });
    const late = await ask(url, 'POST', `/v1/leases/${lease.id}/release`, { body: { token: lease.token } });
    expectProblem(late, 'FENCED');
    expect(late.body).toMatchObject({ reason: 'revoked', revision: revoked.body.revision });
    expectProblem(await ask(url, 'POST', '/v1/leases/nothing/release', { body: { token: 1 } }), 'NOT_FOUND');
    expectProblem(await ask(url, 'GET', '/v1/leases/nothing'), 'NOT_FOUND');
    expect((await manager.getPool()).leases).toBe(0);
  });

  test('is reclaimed when nobody renews it, and its capacity comes back', async () => {
    const { url } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', memory(100, { ttlMs: 150 }));
    const next = await ask(url, 'POST', '/v1/leases', memory(100, { waitMs: 20_000 }));
    expect(next.status).toBe(201);
    expect(next.body.token).toBe(lease.token + 1);
    const ended = await ask(url, 'GET', `/v1/leases/${lease.id}`);
    expect(ended.body).toMatchObject({ state: 'reclaimed', reason: 'expired' });
    expect(next.body.grantedAt).toBeGreaterThanOrEqual(ended.body.endedAt);
  });

  test('that is to be revoked is told when it ends, and cannot be renewed past that', async () => {
    const { url } = await servePool({ store });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', memory(10, lasting));
    const noticed = await ask(url, 'POST', `/v1/leases/${lease.id}/revoke`, { body: { reason: 'r', graceMs: 400 } });
    expect(noticed.body).toMatchObject({ state: 'active', noticeEndsAt: expect.any(Number) });
    const renewed = await ask(url, 'POST', `/v1/leases/${lease.id}/renew`, { body: { token: lease.token } });
    expect(renewed.body.expiresAt).toBeLessThanOrEqual(noticed.body.noticeEndsAt);
    await expect.poll(async () => (await ask(url, 'GET', `/v1/leases/${lease.id}`)).body.state).toBe('reclaimed');
  });

  test('what can never fit is 422 with the ceiling; what does not fit now is 429 with shortfall, position and retry-after', async () => {
    const { url, manager } = await servePool({ store });
    const never = await ask(url, 'POST', '/v1/leases', memory(101, { waitMs: 1_000 }));
    expectProblem(never, 'NEVER_FITS');
    expect(never.body).toMatchObject({ ceiling: { memory: 100 * MiB }, decisionId: expect.any(String) });
    await ask(url, 'POST', '/v1/leases', memory(70, lasting));
    const busy = await ask(url, 'POST', '/v1/leases', memory(40, { id: 'asks' }));
    expectProblem(busy, 'EXHAUSTED');
    expect(busy.body).toMatchObject({ tier: 'all', shortfall: { memory: 10 * MiB }, position: 0 });
    expect(Number(busy.headers.get('retry-after'))).toBe(Math.ceil(busy.body.retryAfterMs / 1000));
    const { items } = (await ask(url, 'GET', '/v1/refusals')).body;
    expect(items.map((event: { data: { refusal: object } }) => event.data.refusal)).toMatchObject([
      { code: 'NEVER_FITS', decisionId: never.body.decisionId, revision: never.body.revision },
      { code: 'EXHAUSTED', decisionId: busy.body.decisionId, revision: busy.body.revision },
    ]);
    expect((await manager.getMetrics()).refusedTotal).toBe(2);
  });

  test('leases are listed by what they are, page by page, with a link to the next', async () => {
    const { url } = await servePool({ store });
    for (let i = 0; i < 7; i++) {
      const owner = i % 2 === 0 ? 'ann' : 'bob';
      const { body } = await ask(url, 'POST', '/v1/leases', memory(1, { owner, priority: i < 3 ? 'high' : 'low' }));
      if (i === 4) await ask(url, 'POST', `/v1/leases/${body.id}/release`, { body: { token: body.token } });
      if (i === 5) await ask(url, 'POST', `/v1/leases/${body.id}/revoke`, { body: { reason: 'r', graceMs: 0 } });
    }
    const tokens = async (query: string) =>
      (await ask(url, 'GET', `/v1/leases${query}`)).body.items.map(({ token }: { token: number }) => token);
    expect(await tokens('')).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await tokens('?owner=ann')).toEqual([1, 3, 5, 7]);
    expect(await tokens('?owner=bob&priority=low&tier=all')).toEqual([4, 6]);
    expect(await tokens('?state=active')).toEqual([1, 2, 3, 4, 7]);
    expect(await tokens('?state=released')).toEqual([5]);
    expect(await tokens('?state=reclaimed')).toEqual([6]);
    expect(await tokens('?tier=none')).toEqual([]);
    const seen: number[] = [];
    let next: string | undefined = '/v1/leases?limit=3&state=active';
    while (next !== undefined) {
      const page: Awaited<ReturnType<typeof ask>> = await ask(url, 'GET', next);
      seen.push(...page.body.items.map(({ token }: { token: number }) => token));
      const link = /^<(.*)>; rel="next"$/.exec(page.headers.get('link') ?? '');
      expect(link === null).toBe(page.body.next === null);
      next = link?.[1];
    }
    expect(seen).toEqual([1, 2, 3, 4, 7]);
    expectProblem(await ask(url, 'GET', '/v1/leases?cursor=nonsense'), 'INVALID_REQUEST');
  });
});

describe.each(STORES)('a request that waits (%s)', (store) => {
  test('Prefer: respond-async answers 202 with where to look; it is granted without its caller, under the id that was told', async () => {
    const { url } = await servePool({ store });
    const { body: first } = await ask(url, 'POST', '/v1/leases', memory(90, lasting));
    const headers = { prefer: 'respond-async, wait=60' };
    const queued = await ask(url, 'POST', '/v1/leases', { ...memory(40, { id: 'later' }), headers });
    expect(queued.status).toBe(202);
    expect(queued.headers.get('location')).toBe('/v1/requests/later');
    expect(queued.headers.get('preference-applied')).toBe('respond-async');
    expect(queued.body).toEqual({
      requestId: 'later',
      leaseId: expect.any(String),
      position: 0,
      estimatedStartMs: expect.any(Number),
    });
    const waiting = await ask(url, 'GET', queued.headers.get('location')!);
    expect(waiting.body).toMatchObject({ position: 0, shortfall: { memory: 30 * MiB }, state: 'waiting' });
    expect((await ask(url, 'GET', '/v1/requests')).body).toEqual({ items: [waiting.body], next: null });
    await ask(url, 'POST', `/v1/leases/${first.id}/release`, { body: { token: first.token } });
    expectProblem(await ask(url, 'GET', '/v1/requests/later'), 'NOT_FOUND');
    expect((await ask(url, 'GET', `/v1/leases/${queued.body.leaseId}`)).body).toMatchObject({ requestId: 'later' });
  });

  test('respond-async of what fits is granted at once', async () => {
    const { url } = await servePool({ store });
    const reply = await ask(url, 'POST', '/v1/leases', { ...memory(1), headers: { prefer: 'respond-async, wait=60' } });
    expect(reply.status).toBe(201);
  });

  test('is cancelled by DELETE, and its caller is told', async () => {
    const { url } = await servePool({ store });
    await ask(url, 'POST', '/v1/leases', memory(90, lasting));
    const waiting = ask(url, 'POST', '/v1/leases', memory(40, { id: 'waits', waitMs: 60_000 }));
    await expect.poll(async () => (await ask(url, 'GET', '/v1/requests')).body.items.length).toBe(1);
    const asItStood = (await ask(url, 'GET', '/v1/requests/waits')).body;
    const cancelled = await ask(url, 'DELETE', '/v1/requests/waits');
    expect(cancelled.body).toEqual({ ...asItStood, estimatedStartMs: expect.any(Number) });
    expectProblem(await waiting, 'CANCELLED');
    expectProblem(await ask(url, 'DELETE', '/v1/requests/waits'), 'NOT_FOUND');
  });

  test('waits as long as Prefer: wait=N says, which wins over waitMs; then it is told WAIT_EXPIRED', async () => {
    const { url } = await servePool({ store });
    await ask(url, 'POST', '/v1/leases', memory(90, lasting));
    const asked = performance.now();
    const expired = await ask(url, 'POST', '/v1/leases', {
      ...memory(40, { waitMs: 60_000 }),
      headers: { prefer: 'wait=1' },
    });
    expectProblem(expired, 'WAIT_EXPIRED');
    expect(performance.now() - asked).toBeGreaterThan(900);
    const atOnce = await ask(url, 'POST', '/v1/leases', {
      ...memory(40, { waitMs: 60_000 }),
      headers: { prefer: 'wait=0' },
    });
    expectProblem(atOnce, 'EXHAUSTED');
  });
});

describe.each(STORES)('names and keys (%s)', (store) => {
  test('a name is in use as long as its lease lives', async () => {
    const { url } = await servePool({ store });
    const { body } = await ask(url, 'POST', '/v1/leases', memory(1, { id: 'one' }));
    expectProblem(await ask(url, 'POST', '/v1/leases', memory(1, { id: 'one' })), 'ID_IN_USE');
    await ask(url, 'POST', `/v1/leases/${body.id}/release`, { body: { token: body.token } });
    expect((await ask(url, 'POST', '/v1/leases', memory(1, { id: 'one' }))).status).toBe(201);
  });

  test('a key grants once: in header or body, quoted or not, whatever the units say', async () => {
    const { url, manager } = await servePool({ store });
    const post = (body: object, headers: Record<string, string>) => ask(url, 'POST', '/v1/leases', { body, headers });
    const first = await post({ id: 'k', requirements: { memory: 32 } }, { 'idempotency-key': 'key-1' });
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    const repeats = [
      await post({ id: 'k', requirements: { memory: '32Mi' } }, { 'idempotency-key': '"key-1"' }),
      await post({ id: 'k', requirements: { memory: 32 }, idempotencyKey: 'key-1' }, {}),
      await post({ id: 'k', requirements: { memory: 32 }, idempotencyKey: 'key-1' }, { 'idempotency-key': 'key-1' }),
    ];
    for (const repeat of repeats) {
      expect([repeat.status, repeat.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
      expect(repeat.body).toEqual(first.body);
    }
    expectProblem(
      await post({ id: 'k', requirements: { memory: 33 } }, { 'idempotency-key': 'key-1' }),
      'IDEMPOTENCY_KEY_REUSED',
    );
    expect((await manager.getPool()).leases).toBe(1);
    await ask(url, 'POST', `/v1/leases/${first.body.id}/release`, { body: { token: first.body.token } });
    expectProblem(await post({ id: 'k', requirements: { memory: 32 } }, { 'idempotency-key': 'key-1' }), 'FENCED');
  });

  test('who asks stands in the events', async () => {
    const { url } = await servePool({ store });
    await ask(url, 'POST', '/v1/leases', { ...memory(1), headers: { 'x-actor': 'ann' } });
    await ask(url, 'POST', '/v1/leases', memory(1));
    const { items } = (await ask(url, 'GET', '/v1/events?type=LeaseGranted')).body;
    expect(items.map(({ metadata }: { metadata: { actor: string } }) => metadata.actor)).toEqual(['ann', 'http']);
  });
});
