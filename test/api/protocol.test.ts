import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { startServer } from '../../src/api/server.ts';
import { isPoolError } from '../../src/model/errors.ts';
import { faultyStore } from './support/faulty.ts';
import { openPool, servePool, withOwn } from './support/pool.ts';
import { ask, expectProblem, parseRaw, raw, serve } from './support/serve.ts';

const asked = { requirements: { memory: 10 } };
const json = 'content-type: application/json';

describe('every error is a problem (RFC 9457)', () => {
  test('a path that does not exist is 404, also with a body that nobody reads', async () => {
    const { url } = await servePool();
    expectProblem(await ask(url, 'GET', '/v1/nothing'), 'NOT_FOUND');
    expectProblem(
      await ask(url, 'POST', '/nothing', { text: '<a/>', headers: { 'content-type': 'text/xml' } }),
      'NOT_FOUND',
    );
    for (const absent of ['/v1/leases/batch', '/v1/leases/lease-1/resize', '/v1/what-if'])
      expect([404, 405]).toContain((await ask(url, 'POST', absent, { body: {} })).status);
  });

  test('a method that a path does not have is 405 with Allow', async () => {
    const { url } = await servePool();
    const rows = [
      ['PUT', '/v1/leases', 'GET, HEAD, POST'],
      ['GET', '/v1/leases/lease-1/release', 'POST'],
      ['POST', '/v1/config', 'GET, HEAD, PATCH'],
      ['DELETE', '/livez', 'GET, HEAD'],
      ['OPTIONS', '/v1/requests/task-1', 'DELETE, GET, HEAD'],
    ] as const;
    for (const [method, path, allow] of rows) {
      const reply = await ask(url, method, path);
      expectProblem(reply, 'METHOD_NOT_ALLOWED');
      expect(reply.headers.get('allow'), `${method} ${path}`).toBe(allow);
    }
    const odd = await raw(url, 'PROPFIND /v1/leases HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    expectProblem(parseRaw(odd), 'METHOD_NOT_ALLOWED');
  });

  test('bodies: too large, of another type, compressed, malformed, poisoned, nested too deep', async () => {
    const { url } = await servePool();
    const post = (text: string, headers: Record<string, string> = {}) =>
      ask(url, 'POST', '/v1/leases', { text, headers });
    expectProblem(await post(JSON.stringify({ ...asked, id: 'x'.repeat(65 * 1024) })), 'PAYLOAD_TOO_LARGE');
    expectProblem(await post('a=b', { 'content-type': 'application/x-www-form-urlencoded' }), 'UNSUPPORTED_MEDIA_TYPE');
    expectProblem(await post('{}', { 'content-type': 'text/plain' }), 'UNSUPPORTED_MEDIA_TYPE');
    expectProblem(await post('{}', { 'content-encoding': 'gzip' }), 'UNSUPPORTED_MEDIA_TYPE');
    for (const text of [
      '{',
      '{"a":1}}',
      'nul',
      "{'a':1}",
      '\u0000',
      '{"__proto__":{"a":1}}',
      '{"constructor":{"prototype":{}}}',
    ])
      expectProblem(await post(text), 'INVALID_REQUEST');
    for (const text of ['['.repeat(1_000) + ']'.repeat(1_000), '['.repeat(30_000) + ']'.repeat(30_000)])
      expectProblem(await post(text), 'INVALID_REQUEST');
    expectProblem(await post(`{"requirements":${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}}`), 'INVALID_REQUEST');
  });

  test('paths: malformed, and with parts that are too long', async () => {
    const { url } = await servePool();
    expectProblem(await ask(url, 'GET', '/v1/leases/%zz'), 'INVALID_REQUEST');
    expectProblem(await ask(url, 'GET', `/v1/leases/${'a'.repeat(129)}`), 'INVALID_REQUEST');
  });

  test('what is no HTTP, and headers that are too large', async () => {
    const { url } = await servePool();
    const rows = [
      ['nonsense\r\n\r\n', 400],
      ['GET / HTTP/9.9\r\nhost: localhost\r\n\r\n', 400],
      ['GET /livez HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n', 400],
      [
        `POST /v1/leases HTTP/1.1\r\nhost: localhost\r\n${json}\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`,
        400,
      ],
      [`POST /v1/leases HTTP/1.1\r\nhost: localhost\r\n${json}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`, 400],
      [`GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
      ['GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n', 400],
      ['GET /livez HTTP/1.1\r\nhost: evil.example:7070\r\nconnection: close\r\n\r\n', 403],
    ] as const;
    for (const [bytes, status] of rows) {
      const reply = parseRaw(await raw(url, bytes));
      expect(reply.status, bytes.slice(0, 80)).toBe(status);
      expectProblem(reply);
    }
  });

  test('an expectation that nobody knows does not stop the answer', async () => {
    const { url } = await servePool();
    const text = await raw(url, 'GET /livez HTTP/1.1\r\nhost: localhost\r\nexpect: magic\r\nconnection: close\r\n\r\n');
    expect(parseRaw(text).status).toBe(200);
  });

  test('a bug is 500, with an id and the log position, and says nothing of the inside', async () => {
    const logged: object[] = [];
    const logger = { debug() {}, info() {}, warn() {}, error: (fields: object) => logged.push(fields) };
    const { manager } = await openPool();
    const broken = withOwn(manager, {
      getUtilization: async () => {
        throw new TypeError('secret inside');
      },
    });
    const { url } = await serve(broken, { logger });
    const reply = await ask(url, 'GET', '/v1/utilization');
    expectProblem(reply, 'INTERNAL');
    expect(JSON.stringify(reply.body)).not.toContain('secret');
    const { revision } = await manager.getPool();
    expect(reply.body.revision).toBe(revision);
    expect(logged).toEqual([expect.objectContaining({ incidentId: reply.body.incidentId, revision, method: 'GET' })]);
  });

  test('what may have been done is 503 OUTCOME_UNKNOWN with retry-after, and its key finds what became of it', async () => {
    const store = faultyStore({ timeoutMs: 20 });
    const unknown = { patienceMs: 50, giveUpMs: 60_000, closeMs: 1_000 };
    const { url } = await servePool({ store, options: { tuning: { unknown } } });
    store.next('timeoutApplied', ...Array.from({ length: 6 }, () => 'timeoutApplied' as const));
    const body = { ...asked, id: 'perhaps', idempotencyKey: 'k' };
    expectProblem(await ask(url, 'POST', '/v1/leases', { body }), 'OUTCOME_UNKNOWN');
    const again = async () => (await ask(url, 'POST', '/v1/leases', { body })).status;
    await expect.poll(again, { timeout: 20_000 }).toBe(201);
    expect((await ask(url, 'GET', '/v1/leases')).body.items).toMatchObject([{ requestId: 'perhaps', token: 1 }]);
  });
});

describe('what cannot be read behind a request in work', () => {
  const post = (body: object, more = ''): string => {
    const text = JSON.stringify(body);
    return `POST /v1/leases HTTP/1.1\r\nhost: localhost\r\n${json}\r\n${more}content-length: ${text.length}\r\n\r\n${text}`;
  };
  const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
  const requirements = { memory: 100 };

  /** Something stands in the pool's way until it is let go of; `asking` settles when the connection is closed. */
  async function held(bytes: string | readonly string[], limits = {}) {
    const { manager } = await openPool();
    const holder = await manager.allocate({ requirements });
    const { url } = await serve(manager, { limits });
    const asking = raw(url, bytes, 60_000);
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(1);
    return { manager, url, asking, free: () => manager.release(holder) };
  }

  test.each([
    ['no HTTP', 'G@RBAGE / \r\n\r\n', [201, 400]],
    ['requests, and then no HTTP', 'GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\nG@RBAGE\r\n\r\n', [201, 200, 400]],
    ['headers that are too large', `GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, [201, 431]],
    [
      'a request whose body breaks',
      `POST /v1/leases HTTP/1.1\r\nhost: localhost\r\n${json}\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
      [201, 400],
    ],
  ])('is answered behind it: %s', async (_, behind, expected) => {
    const { url, asking, free, manager } = await held(post({ requirements, waitMs: 60_000 }) + behind);
    await ask(url, 'GET', '/livez');
    await free();
    const text = await asking;
    expect(statuses(text)).toEqual(expected);
    expect(text).toMatch(/\r\nconnection: close\r\n\r\n\{[^\r\n]*\}$/);
    expect((await manager.getPool()).leases).toBe(1);
  });

  test('is not answered where the client wants no more than one answer', async () => {
    const body = { requirements, waitMs: 60_000 };
    const { asking, free } = await held(`${post(body, 'connection: close\r\n')}G@RBAGE\r\n\r\n`);
    await free();
    expect(statuses(await asking)).toEqual([201]);
  });

  test('does not time out what waits: half a request is answered 408 behind it', async () => {
    const limits = { requestTimeoutMs: 200, headersTimeoutMs: 100, connectionsCheckMs: 20 };
    const { url, asking, free } = await held(`${post({ requirements, waitMs: 60_000 })}GET /liv`, limits);
    expect(statuses(await raw(url, 'GET /liv'))).toEqual([408]); // began later
    await free();
    expect(statuses(await asking)).toEqual([201, 408]);
  });

  test('ends the wait of a client that then closes its side', async () => {
    const { manager } = await openPool();
    await manager.allocate({ requirements });
    const { url } = await serve(manager);
    const { hostname, port } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write(`${post({ requirements, waitMs: 60_000 })}GET /liv`);
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(1);
    socket.end();
    await expect.poll(async () => (await manager.listRequests()).items.length).toBe(0);
    expect(text).toBe('');
  });
});

describe('only this machine is served', () => {
  test('a host that others could reach is refused before anything listens', async () => {
    const { manager } = await openPool();
    for (const host of ['0.0.0.0', '::', '192.168.1.5', 'example.com', '']) {
      const error = await startServer(manager, { host, port: 0 }).catch((thrown: unknown) => thrown);
      expect(isPoolError(error) && error.code, host).toBe('INVALID_CONFIG');
      expect(isPoolError(error) && error.details['errors']).toEqual([
        { path: 'host', value: host, allowed: expect.stringContaining('loopback') },
      ]);
    }
  });

  test('requests that name another host, or come from pages of one, are refused', async () => {
    const { url } = await servePool({ server: { allowedHosts: ['pool.test'] } });
    const port = new URL(url).port;
    const get = async (host: string, more = '') =>
      parseRaw(await raw(url, `GET /livez HTTP/1.1\r\nhost: ${host}\r\n${more}connection: close\r\n\r\n`)).status;
    for (const host of [`localhost:${port}`, '127.0.0.1', `[::1]:${port}`, 'LOCALHOST', 'pool.test:80'])
      expect(await get(host), host).toBe(200);
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1.evil.example', 'localhost.evil.example'])
      expect(await get(host), host).toBe(403);
    expect(await get('localhost', 'origin: http://localhost:3000\r\n')).toBe(200);
    expect(await get('localhost', 'origin: https://evil.example\r\n')).toBe(403);
    expect(await get('localhost', 'origin: null\r\n')).toBe(403);
  });

  test('every answer carries the security headers', async () => {
    const { url } = await servePool();
    for (const path of ['/livez', '/v1/pool', '/v1/nothing', '/v1/leases?limit=0']) {
      const { headers } = await ask(url, 'GET', path);
      expect(headers.get('content-security-policy'), path).toBe("default-src 'self'");
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    }
  });
});

describe('time-outs and limits', () => {
  const limits = { requestTimeoutMs: 400, headersTimeoutMs: 300, connectionsCheckMs: 50 };

  test('a body that does not arrive is answered 408 and cut; so are headers', async () => {
    const { url } = await servePool({ server: { limits } });
    const slow = [
      `POST /v1/leases HTTP/1.1\r\nhost: localhost\r\n${json}\r\ncontent-length: 50\r\n\r\n{"requ`,
      'GET /livez HTTP/1.1\r\nhost: localhost\r\nx-slow: ',
    ];
    for (const bytes of slow) {
      const reply = parseRaw(await raw(url, bytes));
      expectProblem(reply, 'REQUEST_TIMEOUT');
      expect(reply.headers.get('connection')).toBe('close');
    }
  });

  test('an answer may take longer than a request', async () => {
    const { url } = await servePool({ server: { limits } });
    await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 100 }, ttlMs: 1_500 } });
    const asking = performance.now();
    const late = await ask(url, 'POST', '/v1/leases', { body: { ...asked, waitMs: 60_000 } });
    expect(late.status).toBe(201);
    expect(performance.now() - asking).toBeGreaterThan(2 * limits.requestTimeoutMs);
  });

  test('a rate limit, if there is one, answers 429', async () => {
    const { url } = await servePool({ server: { rateLimit: { max: 2, windowMs: 60_000 } } });
    expect((await ask(url, 'GET', '/livez')).status).toBe(200);
    expect((await ask(url, 'GET', '/livez')).status).toBe(200);
    expectProblem(await ask(url, 'GET', '/livez'), 'RATE_LIMITED');
  });

  test('while the event loop is late, allocates are refused and releases pass', async () => {
    const { url } = await servePool({ server: { limits: { eventLoopDelayMs: 20 } } });
    const { body: lease } = await ask(url, 'POST', '/v1/leases', { body: asked });
    const block = setInterval(() => {
      for (const until = performance.now() + 100; performance.now() < until; );
    }, 5);
    try {
      await expect
        .poll(async () => (await ask(url, 'POST', '/v1/leases', { body: asked })).status, { timeout: 10_000 })
        .toBe(503);
      expect((await ask(url, 'POST', `/v1/leases/${lease.id}/release`, { body: { token: lease.token } })).status).toBe(
        200,
      );
    } finally {
      clearInterval(block);
    }
  });
});
