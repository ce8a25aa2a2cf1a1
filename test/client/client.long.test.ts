import { describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import type { PoolService } from '../../src/manager/service.ts';
import { isPoolError, PoolError } from '../../src/model/errors.ts';
import type { AllocationRequest } from '../../src/model/request.ts';
import { faultyStore } from '../api/support/faulty.ts';
import { MiB, openPool, STORES, servePool, withOwn } from '../api/support/pool.ts';
import { serve } from '../api/support/serve.ts';

const asked: AllocationRequest = { requirements: { memory: 10 } };
const codeOf = (error: unknown) => (isPoolError(error) ? error.code : error);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A network that carries requests, and loses the answers to the first `lost` of them. */
function lossy(lost: number): typeof fetch {
  let left = lost;
  return async (input, init) => {
    const response = await fetch(input, init);
    if (left <= 0) return response;
    left -= 1;
    await response.body?.cancel();
    throw new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } });
  };
}

describe.each(STORES)('calls (%s)', (store) => {
  test('a problem becomes the error of the library, with all that it carries', async () => {
    const { url, manager } = await servePool({ store });
    const client = createClient({ url });
    await manager.allocate({ requirements: { memory: 95 } });
    const error = await client.allocate(asked).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PoolError);
    expect(error).toMatchObject({
      code: 'EXHAUSTED',
      retryable: true,
      outcome: 'none',
      details: { tier: 'all', shortfall: { memory: 5 * MiB }, retryAfterMs: expect.any(Number) },
    });
    const { revision } = await manager.getPool();
    expect(await client.tryAllocate(asked)).toMatchObject({
      refused: { code: 'EXHAUSTED', message: expect.any(String), decisionId: expect.any(String), revision },
    });
    const wrong = await client.tryAllocate({ requirements: { memory: -1 } }).catch((thrown: unknown) => thrown);
    expect(wrong).toMatchObject({
      code: 'INVALID_REQUEST',
      details: { errors: [expect.objectContaining({ path: 'requirements.memory' })] },
    });
  });

  test('an allocate whose answer was lost is asked again under the same key and name: it is granted once', async () => {
    const { url, manager } = await servePool({ store });
    const lease = await createClient({ url, fetch: lossy(2) }).allocateOnce(asked);
    expect(await manager.getPool()).toMatchObject({ leases: 1 });
    expect(lease).toMatchObject({ token: 1, state: 'active' });
    const mine = await createClient({ url, fetch: lossy(1) }).allocateOnce({
      ...asked,
      id: 'mine',
      idempotencyKey: 'k',
    });
    expect(mine).toMatchObject({ token: 2, requestId: 'mine' });
    const { items } = await manager.pageEvents({ types: ['LeaseGranted'] }, {});
    expect(items.map(({ data }) => (data as { request: AllocationRequest }).request.idempotencyKey)).toEqual([
      expect.stringMatching(/^[0-9a-f-]{36}$/),
      'k',
    ]);
  });

  test('a release whose answer was lost is answered as the first', async () => {
    const { url, manager } = await servePool({ store });
    const lease = await createClient({ url }).allocateOnce(asked);
    expect(await createClient({ url, fetch: lossy(2) }).release(lease)).toMatchObject({ state: 'released' });
    expect(await manager.getMetrics()).toMatchObject({ releasedTotal: 1, duplicateReleasesTotal: 2 });
  });

  test('every verb does what the library does', async () => {
    const { url, manager } = await servePool({ store });
    const client = createClient({ url, actor: 'ann' });
    const lease = await client.allocateOnce({ ...asked, id: 'one' });
    expect(await client.getLease(lease.id)).toEqual(await manager.getLease(lease.id));
    expect((await client.renew(lease, { ttlMs: 9_000 })).ttlMs).toBe(9_000);
    expect((await client.renew(lease)).ttlMs).toBe(9_000);
    expect(await client.release(lease)).toMatchObject({ state: 'released' });
    const revoked = await client.allocateOnce(asked);
    expect(await client.revoke(revoked.id, { reason: 'because', graceMs: 0 })).toMatchObject({ reason: 'revoked' });
    await client.allocateOnce({ requirements: { memory: 100 } });
    await manager.submit({ ...asked, id: 'waits', waitMs: 60_000 }, { detached: true });
    expect(await client.listRequests()).toEqual(await manager.listRequests());
    expect(await client.getRequest('waits')).toMatchObject({ requestId: 'waits', position: 0 });
    expect(await client.cancel('waits')).toMatchObject({ requestId: 'waits' });
    expect(await client.cordon('all')).toMatchObject({ admission: 'cordoned' });
    expect(await client.uncordon('all')).toMatchObject({ admission: 'open' });
    expect(await client.setBreaker('disabled')).toEqual({ mode: 'disabled', until: null });
    const { config, revision } = await client.getConfig();
    expect([config, revision]).toEqual([(await manager.getConfig()).config, (await manager.getConfig()).revision]);
    const changed = await client.configure({ maxPoolSize: 500 }, { ifRevision: revision });
    expect(changed.config.maxPoolSize).toBe(500);
    await expect(client.configure({ maxPoolSize: 600 }, { ifRevision: revision })).rejects.toMatchObject({
      code: 'REVISION_MISMATCH',
    });
    expect(await client.drainTier('all', { deadlineMs: 60_000 })).toMatchObject({ admission: 'draining' });
    expect(await client.getPool({ revision: 3 })).toEqual(await manager.getPool({ revision: 3 }));
    expect(await client.getPool()).toEqual(await manager.getPool());
    expect(await client.listLeases({ state: 'active', limit: 5 })).toEqual(
      await manager.listLeases({ state: 'active' }),
    );
    expect(await client.getMetrics()).toMatchObject({ grantedTotal: 3, releasedTotal: 1 });
    expect(await client.getUtilization()).toEqual(await manager.getUtilization());
    const page = await client.reader.pageEvents({ from: 0, types: ['LeaseReleased'] }, { limit: 2 });
    expect(page).toEqual(await manager.pageEvents({ types: ['LeaseReleased'] }, {}));
    const { items } = await manager.pageEvents({ from: 4, types: ['LeaseGranted', 'LeaseReleased'] }, {});
    expect(new Set(items.map(({ metadata }) => metadata.actor))).toEqual(new Set(['ann']));
    await expect(client.getLease('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('calls', () => {
  test('an unknown outcome is repeated, a refusal is not, and there is an end to it', async () => {
    const { manager } = await openPool();
    let calls = 0;
    const submit: PoolService['submit'] = async () => {
      calls += 1;
      throw new PoolError('OUTCOME_UNKNOWN', 'perhaps');
    };
    const setBreaker = () => Promise.reject(new PoolError('LOG_UNAVAILABLE', 'no'));
    const { url, close } = await serve(withOwn(manager, { submit, setBreaker }));
    const client = createClient({ url, retries: 2 });
    expect(codeOf(await client.allocate(asked).catch((thrown: unknown) => thrown))).toBe('OUTCOME_UNKNOWN');
    expect(calls).toBe(3);
    expect(codeOf(await client.setBreaker('closed').catch((thrown: unknown) => thrown))).toBe('LOG_UNAVAILABLE');
    await close();
    const nobody = createClient({ url, retries: 1 });
    const error = await nobody.getPool().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'OUTCOME_UNKNOWN', message: expect.stringContaining('ECONNREFUSED') });
  });

  test('a doubt is not ended by a repeat that was not even decided, only by one that was', async () => {
    const { manager } = await openPool();
    const answers: unknown[] = [];
    const submit: PoolService['submit'] = async (request, options) => {
      const answer = answers.shift();
      if (answer === undefined) return manager.submit(request, options);
      throw answer;
    };
    const { url } = await serve(withOwn(manager, { submit }));
    const client = createClient({ url, retries: 2 });
    const [unknown, away] = [new PoolError('OUTCOME_UNKNOWN', 'perhaps'), new PoolError('LOG_UNAVAILABLE', 'no')];
    answers.push(unknown, away, away);
    expect(codeOf(await client.allocate(asked).catch((thrown: unknown) => thrown))).toBe('OUTCOME_UNKNOWN');
    answers.push(unknown, away);
    expect((await client.allocateOnce(asked)).state).toBe('active');
    answers.push(away);
    expect(codeOf(await client.allocate(asked).catch((thrown: unknown) => thrown))).toBe('LOG_UNAVAILABLE');
  });
});

const SHORT = { ...asked, ttlMs: 1_500 };

describe('a lease that the client holds', () => {
  test('is renewed by itself until it is released', async () => {
    const { url, manager } = await servePool();
    const lease = await createClient({ url }).allocate(SHORT);
    const first = lease.expiresAt;
    await expect.poll(async () => (await manager.getMetrics()).renewedTotal, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(lease.signal.aborted).toBe(false);
    expect(lease.expiresAt).toBeGreaterThan(first);
    expect((await lease.release()).state).toBe('released');
    const { renewedTotal } = await manager.getMetrics();
    await sleep(1_200);
    expect((await manager.getMetrics()).renewedTotal).toBe(renewedTotal);
    expect((await manager.getPool()).leases).toBe(0);
  });

  test('tells its holder before the server ends it, when nobody can be reached', async () => {
    const { url, server } = await servePool();
    const ttlMs = 4_000; // the holder stops a tenth of it before the server would
    const asking = performance.now();
    const lease = await createClient({ url }).allocate({ ...asked, ttlMs });
    const answered = performance.now();
    await server.close();
    await new Promise((resolve) => lease.signal.addEventListener('abort', resolve));
    const now = performance.now();
    expect(now - asking).toBeGreaterThan(ttlMs * 0.8);
    expect(now).toBeLessThan(answered + ttlMs);
    expect(codeOf(lease.signal.reason)).toBe('FENCED');
  });

  test.each([
    ['reclaimed', 0],
    ['noticed', 60_000],
  ])('tells its holder at once when it is %s, however long its TTL is', async (_, graceMs) => {
    const { url, manager } = await servePool();
    await using client = createClient({ url });
    const lease = await client.allocate({ ...asked, ttlMs: 3_600_000 });
    await sleep(100);
    await manager.revoke(lease.id, { reason: 'because', graceMs });
    await expect.poll(() => lease.signal.aborted, { timeout: 5_000 }).toBe(true);
    expect(codeOf(lease.signal.reason)).toBe('FENCED');
    expect(lease.signal.reason.details).toMatchObject({ leaseId: lease.id, reason: 'revoked' });
  });

  test('hears of its end also over a restart of the server', async () => {
    const { url, manager, server } = await servePool();
    await using client = createClient({ url });
    const lease = await client.allocate({ ...asked, ttlMs: 3_600_000 });
    await sleep(1_200);
    await server.close();
    await manager.revoke(lease.id, { reason: 'because', graceMs: 60_000 });
    await serve(manager, { port: Number(new URL(url).port) });
    await expect.poll(() => lease.signal.aborted, { timeout: 10_000 }).toBe(true);
  });

  test('that its key finds again is renewed first, since nobody knows how much of its TTL has passed', async () => {
    const { url, manager } = await servePool();
    const keyed = { ...asked, id: 'mine', idempotencyKey: 'k', ttlMs: 2_000 };
    await manager.allocate(keyed);
    await sleep(1_500);
    await using client = createClient({ url });
    const lease = await client.allocate(keyed);
    expect(lease.remainingMs()).toBeGreaterThan(1_000);
    await sleep(1_000);
    expect(lease.signal.aborted).toBe(false);
    expect(await manager.getLease(lease.id)).toMatchObject({ state: 'active', token: 1 });
  });

  test('use releases it whatever happens', async () => {
    const { url, manager } = await servePool();
    const client = createClient({ url });
    expect(await client.use(asked, async (lease) => lease.amounts)).toEqual({ memory: 10 * MiB });
    await expect(client.use(asked, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    {
      await using lease = await client.allocate(asked);
      expect(lease.state).toBe('active');
    }
    expect(await manager.getMetrics()).toMatchObject({ grantedTotal: 3, releasedTotal: 3 });
  });
});

describe('a wait', () => {
  const waits = { ...asked, waitMs: 60_000 };

  test('that its caller aborts is taken back, though its key would keep it', async () => {
    const { url, manager } = await servePool();
    await manager.allocate({ requirements: { memory: 100 } });
    const caller = new AbortController();
    const asking = createClient({ url }).allocate({ ...waits, id: 'mine', signal: caller.signal });
    asking.catch(() => {});
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(1);
    caller.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
    expect((await manager.listRequests()).items).toEqual([]);
  });

  test('that was granted while its caller aborted is released', async () => {
    const store = faultyStore();
    const { url, manager } = await servePool({ store });
    store.next('held');
    const caller = new AbortController();
    const asking = createClient({ url }).allocate({ ...waits, signal: caller.signal });
    asking.catch(() => {});
    await sleep(100);
    caller.abort(new Error('enough'));
    await sleep(50);
    store.go();
    await expect(asking).rejects.toThrow('enough');
    await expect.poll(async () => (await manager.getMetrics()).releasedTotal).toBe(1);
    expect(await manager.getPool()).toMatchObject({ leases: 0 });
  });

  test('that a repeat finds still waiting goes on until it is granted', async () => {
    const { url, manager } = await servePool();
    const holder = await manager.allocate({ requirements: { memory: 100 } });
    const keyed = { ...waits, id: 'mine', idempotencyKey: 'k' };
    await manager.submit(keyed, { detached: true });
    const asking = createClient({ url }).allocateOnce(keyed);
    await sleep(100);
    await manager.release(holder);
    expect(await asking).toMatchObject({ requestId: 'mine', state: 'active' });
  });

  test('outlives a restart of the server: the client asks again, and is granted once', async () => {
    const { url, manager, server } = await servePool();
    const holder = await manager.allocate({ requirements: { memory: 100 } });
    const asking = createClient({ url }).allocateOnce({ ...waits, id: 'mine' });
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(1);
    await server.close();
    await serve(manager, { port: Number(new URL(url).port) });
    await manager.release(holder);
    expect(await asking).toMatchObject({ requestId: 'mine', token: 2, state: 'active' });
    expect((await manager.getPool()).leases).toBe(1);
  });

  test('that a stopping server cannot answer is said to be unknown where a key keeps it, and not done where none does', async () => {
    const { url, manager, server } = await servePool();
    await manager.allocate({ requirements: { memory: 100 } });
    const body = (more: object) => JSON.stringify({ ...waits, ...more });
    const headers = { 'content-type': 'application/json' };
    const ask = (more: object) =>
      fetch(`${url}/v1/leases`, { method: 'POST', headers, body: body(more) }).then((response) => response.json());
    const both = Promise.all([ask({ id: 'plain' }), ask({ id: 'keyed', idempotencyKey: 'k' })]);
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(2);
    await server.close();
    expect(await both).toMatchObject([{ code: 'DRAINING' }, { code: 'OUTCOME_UNKNOWN' }]);
    await expect
      .poll(async () => (await manager.listRequests()).items.map(({ requestId }) => requestId))
      .toEqual(['keyed']);
  });
});

describe('events', () => {
  test('come without gap or duplicate over any number of connections and servers', async () => {
    const { url, manager, server } = await servePool();
    let running = server;
    const client = createClient({ url });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const event of client.events({ from: 3 })) seen.push(event.revision);
    })();
    const head = async () => (await manager.getPool()).revision;
    for (let round = 1; round <= 4; round += 1) {
      await expect.poll(async () => seen.at(-1) === (await head()), { timeout: 10_000 }).toBe(true);
      const closing = running.close();
      await manager.use(asked, () => undefined);
      await closing;
      running = await serve(manager, { port: Number(new URL(url).port) });
    }
    const last = await head();
    await expect.poll(() => seen, { timeout: 10_000 }).toEqual(Array.from({ length: last - 2 }, (_, i) => i + 3));
    await client.close();
    await reading;
  });

  test('end at to, at abort, and with an error that no repeat would mend', async () => {
    const { url, manager } = await servePool();
    await manager.use(asked, () => undefined);
    const client = createClient({ url });
    const revisions: number[] = [];
    for await (const event of client.events({ from: 2, filter: { to: 4 } })) revisions.push(event.revision);
    expect(revisions).toEqual([2, 3, 4]);
    const marks: string[] = [];
    const abort = new AbortController();
    for await (const item of client.reader.followEvents({ from: 4 }, abort.signal)) {
      marks.push('event' in item ? String(item.event.revision) : 'caughtUp');
      if ('caughtUp' in item) abort.abort();
    }
    expect(marks).toEqual(['4', '5', 'caughtUp']);
    const wrong = (async () => {
      for await (const _ of client.events({ filter: { types: ['Nothing'] } }));
    })();
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  });
});
