import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createResourceDetector } from '../../src/detection/detector.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { ReadOptions } from '../../src/model/event-store.ts';
import type { RecordedEvent, RecordedPoolEvent } from '../../src/model/events.ts';
import type { HealthMonitor } from '../../src/model/interfaces.ts';
import { faultyStore } from './support/faulty.ts';
import { observed, openPool, type PoolSetup, servePool, withOwn } from './support/pool.ts';
import { ask, expectProblem, serve } from './support/serve.ts';

const asks = (memory: number, more: object = {}) => ({ requirements: { memory }, ttlMs: 60_000, ...more });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A store that, once it is closed, gives each page of the pool's whole log when it is told to. */
class GatedStore extends MemoryEventStore {
  #closed = false;
  #go: (() => void) | undefined;

  get waiting(): boolean {
    return this.#go !== undefined;
  }

  shut(): void {
    this.#closed = true;
  }

  next(): void {
    const go = this.#go;
    this.#go = undefined;
    go?.();
  }

  open(): void {
    this.#closed = false;
    this.next();
  }

  override async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const pages = super.read(stream, options);
    for (;;) {
      if (this.#closed && options.limit !== 1)
        await new Promise<void>((resolve) => {
          this.#go = resolve;
        });
      const page = await pages.next();
      if (page.done) return;
      yield page.value;
    }
  }
}

/** A pool that is full, and someone who waits in it. */
async function fullPool(waiter: object, headers: Record<string, string> = {}) {
  const pool = await servePool();
  const { url, manager } = pool;
  const { body: holder } = await ask(url, 'POST', '/v1/leases', { body: asks(100) });
  const caller = new AbortController();
  const waiting = ask(url, 'POST', '/v1/leases', {
    body: asks(50, { id: 'waits', waitMs: 60_000, ...waiter }),
    headers,
    signal: caller.signal,
  }).catch(() => 'gone' as const);
  await expect.poll(async () => (await manager.listRequests()).items.length).toBe(1);
  const free = () => ask(url, 'POST', `/v1/leases/${holder.id}/release`, { body: { token: holder.token } });
  return { ...pool, caller, waiting, free };
}

/** A pool that is served, and what it is asked. */
async function watchedPool(setup: PoolSetup, limits = {}) {
  const pool = await openPool(setup);
  const { service, calls } = observed(pool.manager);
  const server = await serve(service, { limits });
  const asked = (name: string) => expect.poll(() => calls.find((call) => call.name === name)).toBeDefined();
  return { ...pool, server, url: server.url, calls, asked };
}

const eventsOf = async (manager: ResourcePoolManager, ...types: RecordedPoolEvent['type'][]) =>
  (await manager.pageEvents({ types }, {})).items;

describe('a caller that waits', () => {
  test('and disconnects is cancelled, as an event that says why', async () => {
    const { manager, caller, waiting } = await fullPool({});
    caller.abort();
    expect(await waiting).toBe('gone');
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(0);
    expect(await eventsOf(manager, 'RequestCancelled')).toMatchObject([
      { data: { requestId: 'waits', reason: 'callerGone' } },
    ]);
  });

  test('and disconnects with a key keeps its place, and the key finds its lease', async () => {
    const { manager, url, caller, waiting, free } = await fullPool({ idempotencyKey: 'k' });
    caller.abort();
    expect(await waiting).toBe('gone');
    await sleep(50);
    expect((await manager.listRequests()).items.length).toBe(1);
    await free();
    const again = await ask(url, 'POST', '/v1/leases', {
      body: asks(50, { id: 'waits', waitMs: 60_000, idempotencyKey: 'k' }),
    });
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(await eventsOf(manager, 'RequestCancelled')).toEqual([]);
  });

  test('and asked for an answer at once keeps its place when its connection goes', async () => {
    const { manager, url, waiting, free } = await fullPool({}, { prefer: 'respond-async', connection: 'close' });
    expect(await waiting).toMatchObject({ status: 202 });
    await free();
    await expect.poll(async () => (await manager.getPool()).leases).toBe(1);
    expect((await ask(url, 'GET', '/v1/leases?state=active')).body.items).toMatchObject([{ requestId: 'waits' }]);
  });

  test('and stays gets its lease as soon as there is room', async () => {
    const { waiting, free } = await fullPool({});
    await free();
    expect(await waiting).toMatchObject({ status: 201, body: { requestId: 'waits' } });
  });

  test.each([
    ['given back', {}, 0, 1],
    ['kept for a key that can ask for it', { idempotencyKey: 'k' }, 1, 0],
  ])('a grant that is committed after its caller went is %s', async (_, more, leases, givenBack) => {
    const store = faultyStore();
    const { url, manager, calls, asked } = await watchedPool({ store });
    store.next('held');
    const caller = new AbortController();
    const asking = ask(url, 'POST', '/v1/leases', {
      body: asks(1, { waitMs: 60_000, ...more }),
      signal: caller.signal,
    });
    asking.catch(() => {});
    await asked('submit');
    caller.abort();
    const { signal } = calls.find(({ name }) => name === 'submit')!.args[1] as { signal: AbortSignal };
    await expect.poll(() => signal.aborted).toBe(true);
    store.go();
    await expect.poll(async () => (await eventsOf(manager, 'LeaseGranted')).length).toBe(1);
    await expect.poll(async () => (await manager.getPool()).leases).toBe(leases);
    expect(await eventsOf(manager, 'LeaseReleased')).toHaveLength(givenBack);
  });
});

describe('a server that stops', () => {
  test('lets what is in flight finish, ends waits and streams, and refuses what is new; leases stay', async () => {
    const store = faultyStore();
    const { url, server, manager, asked } = await watchedPool({ store }, { closeMs: 60_000 });
    const { body: held } = await ask(url, 'POST', '/v1/leases', { body: asks(99) });
    const waiting = ask(url, 'POST', '/v1/leases', { body: asks(99, { waitMs: 60_000 }) });
    const stream = await fetch(`${url}/v1/events`, { headers: { accept: 'text/event-stream' } });
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(1);
    store.next('held');
    const inFlight = ask(url, 'POST', `/v1/leases/${held.id}/renew`, { body: { token: held.token } });
    await asked('renewLease');
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    expectProblem(await waiting, 'DRAINING');
    await stream.text();
    await expect(fetch(`${url}/livez`).then((response) => response.status)).rejects.toThrow();
    expect(closed).toBe(false);
    store.go();
    expect((await inFlight).status).toBe(200);
    await closing;
    await server.close();
    expect((await manager.getLease(held.id)).state).toBe('active');
  });

  test('answers 503 and closes the connection when a request comes over one that is still open', async () => {
    const store = faultyStore();
    const { url, server, manager, asked } = await watchedPool({ store }, { closeMs: 60_000 });
    const lease = await manager.allocate({ requirements: { memory: 1 } });
    store.next('held');
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    const ended = new Promise((resolve) => socket.on('close', resolve));
    const body = JSON.stringify({ token: lease.token });
    socket.write(
      `POST /v1/leases/${lease.id}/renew HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await asked('renewLease');
    const closing = server.close();
    socket.write('GET /v1/pool HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await sleep(200); // the second request is read while the first is not answered
    store.go();
    await ended;
    await closing;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/HTTP\/1\.1 503 [\s\S]*retry-after: 1/i);
    expect(text).toContain('DRAINING');
    expect(text).toMatch(/connection: close/i);
  });

  test('does not wait for connections that were opened and never used', async () => {
    const { url, server } = await servePool({ server: { limits: { closeMs: 60_000 } } });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const ended = new Promise((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('connect', resolve));
    await server.close();
    await ended;
  });

  test.each([
    ['half a request line', 'GET /v1/pool HTT'],
    ['half a head', 'GET /v1/pool HTTP/1.1\r\nhost: localhost\r\n'],
    [
      'half a body',
      'POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"id"',
    ],
    ['no HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a request that was answered', 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n'],
    [
      'requests whose answers it does not take',
      'GET /v1/leases?limit=1000 HTTP/1.1\r\nhost: localhost\r\n\r\n'.repeat(100),
    ],
    [
      'a stream that it does not take',
      'GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n',
    ],
    [
      'an export that it does not take',
      'GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: application/x-ndjson\r\n\r\n',
    ],
    [
      'a wait',
      `POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 47\r\n\r\n{"requirements":{"memory":100},"waitMs":600000}`,
    ],
  ])('does not wait for a client that has sent %s, and nothing more', async (_, bytes) => {
    const { url, server, manager } = await servePool({ server: { limits: { closeMs: 600_000, unreadCloseMs: 50 } } });
    const labels = Object.fromEntries(Array.from({ length: 15 }, (__, i) => [`note-${i}`, 'x'.repeat(250)]));
    const asked = { requirements: { memory: '1Ki' }, labels };
    await Promise.all(Array.from({ length: 300 }, () => manager.allocate(asked)));
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname).pause();
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.on('error', () => {});
    await new Promise((resolve) => socket.write(bytes, resolve));
    for (let turns = 0; turns < 10; turns += 1) expect((await ask(url, 'GET', '/livez')).status).toBe(200);
    await server.close();
    socket.resume();
    await closed;
  });

  test('does not wait for ever for an answer that never comes', async () => {
    const { manager } = await openPool();
    const asked = Promise.withResolvers<void>();
    const never = withOwn(manager, {
      getUtilization: () => {
        asked.resolve();
        return new Promise(() => {});
      },
    });
    const server = await serve(never, { limits: { closeMs: 100 } });
    const hanging = ask(server.url, 'GET', '/v1/utilization').catch(() => 'cut');
    await asked.promise;
    await server.close();
    expect(await hanging).toBe('cut');
  });
});

describe('health', () => {
  const routes = ['/v1/pool', '/v1/leases', '/v1/events', '/metrics', '/v1/config'];

  test('while the pool recovers it is alive and not ready, and says so at once; then it serves', async () => {
    const store = faultyStore({ timeoutMs: 50 });
    store.stall();
    const manager = new ResourcePoolManager(
      createResourceDetector({ capacity: { memory: 100 } }),
      {},
      { eventStore: store },
    );
    const { url } = await serve(manager);
    expect((await ask(url, 'GET', '/livez')).body).toEqual({ alive: true });
    const notReady = await ask(url, 'GET', '/readyz?verbose');
    expectProblem(notReady, 'LOG_UNAVAILABLE');
    expect(notReady.body).toMatchObject({
      state: 'recovering',
      checks: [{ name: 'recovered', ok: false }, {}, {}, {}],
    });
    for (const route of routes) expectProblem(await ask(url, 'GET', route), 'LOG_UNAVAILABLE');
    expectProblem(await ask(url, 'POST', '/v1/leases', { body: asks(1) }), 'LOG_UNAVAILABLE');
    store.heal();
    await expect
      .poll(async () => (await ask(url, 'GET', '/readyz')).body, { timeout: 10_000 })
      .toEqual({
        ready: true,
        state: 'serving',
      });
    for (const route of routes) expect((await ask(url, 'GET', route)).status).toBe(200);
    await manager.dispose();
  });

  test('while a long log is read it is alive all along, says how far it is, and is asked for its health only then', async () => {
    const store = new GatedStore();
    const writer = await openPool({ store });
    for (let n = 0; n < 300; n++) await writer.manager.release(await writer.manager.allocate(asks(1)));
    await writer.manager.dispose();
    await store.snapshots.delete('pool-default');
    store.shut();
    let asked = 0;
    const healthMonitor: HealthMonitor = {
      checkResourceHealth: async () => ({ healthy: ++asked > 0, at: 0, checks: [] }),
      reportResourceMetrics: () => undefined,
      alertResourceIssue: () => undefined,
    };
    const detector = createResourceDetector({ capacity: { memory: 100 } });
    const manager = new ResourcePoolManager(detector, {}, { eventStore: store, healthMonitor });
    const { url } = await serve(manager);
    const seen: string[] = [];
    for (let pages = 0; pages < 3; pages++) {
      await expect.poll(() => store.waiting, { timeout: 10_000 }).toBe(true);
      expect((await ask(url, 'GET', '/livez')).status).toBe(200);
      expectProblem(await ask(url, 'GET', '/v1/leases'), 'LOG_UNAVAILABLE');
      seen.push((await ask(url, 'GET', '/readyz?verbose')).body.checks[0].message);
      store.next();
    }
    expect(seen).toEqual([
      expect.stringMatching(/^revision -1 of 6\d\d$/),
      expect.stringMatching(/^revision 31 of 6\d\d, \d+ events\/s, about \d+ s left$/),
      expect.stringMatching(/^revision 95 of/),
    ]);
    expect(asked).toBe(0);
    await expect.poll(() => store.waiting, { timeout: 10_000 }).toBe(true);
    store.open();
    await expect.poll(async () => (await ask(url, 'GET', '/readyz')).status, { timeout: 10_000 }).toBe(200);
    await expect.poll(() => asked, { timeout: 10_000 }).toBe(1);
    await manager.dispose();
  });

  test('while it stands by for the writer of its store too', async () => {
    const first = await openPool({ store: 'sqlite:' });
    const manager = new ResourcePoolManager(
      createResourceDetector({ capacity: { memory: 100 } }),
      {},
      {
        eventStore: first.storeUrl,
        standby: true,
      },
    );
    const { url } = await serve(manager);
    const reply = await ask(url, 'GET', '/readyz');
    expectProblem(reply, 'LOG_UNAVAILABLE');
    expect(reply.body.state).toBe('standby');
    expectProblem(await ask(url, 'GET', '/v1/pool'), 'LOG_UNAVAILABLE');
    await first.manager.dispose();
    await expect.poll(async () => (await ask(url, 'GET', '/readyz')).status, { timeout: 10_000 }).toBe(200);
    await manager.dispose();
  });

  test('while the log does not accept, it is not ready; reads go on, and what would change something is 503', async () => {
    const store = faultyStore({ timeoutMs: 50 });
    const { url, manager } = await servePool({ store });
    const lease = await manager.allocate({ requirements: { memory: 1 } });
    store.next(...Array.from({ length: 4 }, () => 'timeoutNotApplied' as const));
    const asking = ask(url, 'POST', `/v1/leases/${lease.id}/renew`, { body: { token: lease.token } });
    await expect.poll(async () => (await ask(url, 'GET', '/readyz')).status).toBe(503);
    const notReady = await ask(url, 'GET', '/readyz?verbose');
    expectProblem(notReady, 'LOG_UNAVAILABLE');
    expect(notReady.body).toMatchObject({
      state: 'logUnavailable',
      checks: [{ ok: true }, { name: 'log', ok: false }, {}, {}],
    });
    expect((await ask(url, 'GET', `/v1/leases/${lease.id}`)).status).toBe(200);
    expectProblem(await ask(url, 'POST', '/v1/leases', { body: asks(1) }));
    expect([200, 503]).toContain((await asking).status);
    await expect.poll(async () => (await ask(url, 'GET', '/readyz')).status, { timeout: 20_000 }).toBe(200);
  });

  test('a manager that is disposed is alive, not ready, and answers DRAINING', async () => {
    const { url, manager } = await servePool();
    expect((await ask(url, 'GET', '/readyz?verbose')).body).toMatchObject({
      ready: true,
      checks: [{ ok: true }, {}, {}, {}],
    });
    await manager.dispose();
    expectProblem(await ask(url, 'GET', '/readyz'), 'DRAINING');
    expectProblem(await ask(url, 'GET', '/v1/pool'), 'DRAINING');
    expectProblem(await ask(url, 'POST', '/v1/leases', { body: asks(1) }), 'DRAINING');
    expect((await ask(url, 'GET', '/livez')).status).toBe(200);
  });

  test('a pool that drains is not ready: it refuses newcomers with DRAINING, and takes leases back', async () => {
    const { url, manager } = await servePool();
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: asks(1) });
    const draining = manager.drain({ deadlineMs: 20_000 });
    await expect.poll(async () => (await ask(url, 'GET', '/v1/pool')).body.draining).toBe(true);
    expectProblem(await ask(url, 'GET', '/readyz'), 'DRAINING');
    expectProblem(await ask(url, 'POST', '/v1/leases', { body: asks(1) }), 'DRAINING');
    await ask(url, 'POST', `/v1/leases/${lease.id}/release`, { body: { token: lease.token } });
    await draining;
  });
});
