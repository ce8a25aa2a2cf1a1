import { describe, expect, test } from 'vitest';
import type { PoolService, SubmitOptions, Submitted } from '../../src/manager/service.ts';
import { ask, expectProblem, serve } from './support/serve.ts';
import { SmallLog } from './support/small-log.ts';
import { LEASE, REQUEST, smallService } from './support/small-service.ts';

/** Requests that wait until the test grants them, or their caller goes. */
class Waits {
  readonly calls: { readonly options: SubmitOptions; readonly grant: () => void }[] = [];
  readonly released: unknown[] = [];

  readonly service: PoolService = smallService({
    submit: (_request, options = {}) => this.#wait(options),
    releaseLease: async (id, token) => {
      this.released.push([id, token]);
      return { lease: LEASE, replayed: false };
    },
  });

  #wait(options: SubmitOptions): Promise<Submitted> {
    return new Promise((resolve, reject) => {
      this.calls.push({ options, grant: () => resolve({ kind: 'granted', lease: LEASE, replayed: false }) });
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason));
    });
  }
}

const body = { requirements: { memory: 1 } };

describe('a caller that waits', () => {
  test('and disconnects is known to be gone', async () => {
    const waits = new Waits();
    const { url } = await serve(waits.service);
    const caller = new AbortController();
    const asking = ask(url, 'POST', '/v1/leases', { body: { ...body, waitMs: 60_000 }, signal: caller.signal }).catch(
      () => 'gone',
    );
    await expect.poll(() => waits.calls.length).toBe(1);
    expect(waits.calls[0]!.options.signal?.aborted).toBe(false);
    caller.abort();
    expect(await asking).toBe('gone');
    await expect.poll(() => waits.calls[0]!.options.signal?.aborted).toBe(true);
  });

  test('and stays gets its lease', async () => {
    const waits = new Waits();
    const { url } = await serve(waits.service);
    const asking = ask(url, 'POST', '/v1/leases', { body, headers: { prefer: 'wait=60' } });
    await expect.poll(() => waits.calls.length).toBe(1);
    waits.calls[0]!.grant();
    expect((await asking).status).toBe(201);
  });

  test('a grant that finds its caller gone is given back, unless a key can ask for it again', async () => {
    for (const keyed of [false, true]) {
      const waits = new Waits();
      const { url } = await serve(waits.service);
      const caller = new AbortController();
      const headers: Record<string, string> = keyed ? { 'idempotency-key': 'k' } : {};
      void ask(url, 'POST', '/v1/leases', { body, headers, signal: caller.signal }).catch(() => {});
      await expect.poll(() => waits.calls.length).toBe(1);
      caller.abort();
      await new Promise((resolve) => setTimeout(resolve, 50));
      waits.calls[0]!.grant();
      if (keyed) {
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(waits.released).toEqual([]);
      } else await expect.poll(() => waits.released).toEqual([[LEASE.id, LEASE.token]]);
    }
  });

  test('Prefer: respond-async is answered 202 with where to look', async () => {
    const queued: Submitted = { kind: 'queued', request: REQUEST, replayed: false };
    const { url } = await serve(smallService({ submit: async () => queued }));
    const reply = await ask(url, 'POST', '/v1/leases', { body, headers: { prefer: 'respond-async' } });
    expect(reply.status).toBe(202);
    expect(reply.body).toEqual({ requestId: 'task-2', leaseId: 'lease-2', position: 3, estimatedStartMs: null });
    expect(reply.headers.get('location')).toBe('/v1/requests/task-2');
    expect(reply.headers.get('preference-applied')).toBe('respond-async');
    expect((await ask(url, 'GET', '/v1/requests/task-2')).body).toEqual(REQUEST);
  });
});

describe('a server that stops', () => {
  test('lets what is in flight finish, ends waits and streams, and refuses what is new', async () => {
    const waits = new Waits();
    const log = new SmallLog();
    const slow = Promise.withResolvers<void>();
    const service: PoolService = {
      ...waits.service,
      followEvents: (filter, signal) => log.follow(filter, signal),
      getUtilization: async () => {
        await slow.promise;
        return smallService().getUtilization();
      },
    };
    const server = await serve(service, { limits: { closeMs: 5_000 } });
    const { url } = server;
    const inFlight = ask(url, 'GET', '/v1/utilization');
    const waiting = ask(url, 'POST', '/v1/leases', { body: { ...body, waitMs: 60_000 } });
    const stream = await fetch(`${url}/v1/events`, { headers: { accept: 'text/event-stream' } });
    await expect.poll(() => [waits.calls.length, log.following]).toEqual([1, 1]);
    let closed = false;
    const closing = server.close().then(() => {
      closed = true;
    });
    expectProblem(await waiting, 'DRAINING');
    await stream.text();
    await expect.poll(() => log.following).toBe(0);
    await expect(fetch(`${url}/livez`).then((response) => response.status)).rejects.toThrow();
    expect(closed).toBe(false);
    slow.resolve();
    expect((await inFlight).status).toBe(200);
    await closing;
    await server.close();
  });

  test('answers 503 and closes the connection when a request comes over one that is still open', async () => {
    const { connect } = await import('node:net');
    const slow = Promise.withResolvers<void>();
    const server = await serve(
      smallService({
        getUtilization: async () => {
          await slow.promise;
          return smallService().getUtilization();
        },
      }),
    );
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    const ended = new Promise((resolve) => socket.on('close', resolve));
    socket.write('GET /v1/utilization HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = server.close();
    socket.write('GET /v1/pool HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    slow.resolve();
    await ended;
    await closing;
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/HTTP\/1\.1 503 [\s\S]*retry-after: 1/i);
    expect(text).toContain('DRAINING');
    expect(text).toMatch(/connection: close/i);
  });

  test('does not wait for connections that were opened and never used', async () => {
    const { connect } = await import('node:net');
    const server = await serve(smallService(), { limits: { closeMs: 60_000 } });
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    const ended = new Promise((resolve) => socket.on('close', resolve));
    await new Promise((resolve) => socket.on('connect', resolve));
    await server.close();
    await ended;
  });

  test('does not wait for ever for one that never finishes', async () => {
    const never = smallService({ getUtilization: () => new Promise(() => {}) });
    const server = await serve(never, { limits: { closeMs: 100 } });
    const hanging = ask(server.url, 'GET', '/v1/utilization').catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await server.close();
    expect(await hanging).toBe('cut');
  });
});

describe('health', () => {
  test('livez answers; readyz says whether the pool can serve, and why not', async () => {
    let state: ReturnType<PoolService['status']> = {
      ready: true,
      state: 'serving',
      checks: [{ name: 'log', ok: true }],
    };
    const { url } = await serve(smallService({ status: () => state }));
    expect((await ask(url, 'GET', '/livez')).body).toEqual({ alive: true });
    expect((await ask(url, 'GET', '/readyz')).body).toEqual({ ready: true, state: 'serving' });
    expect((await ask(url, 'GET', '/readyz?verbose')).body.checks).toEqual(state.checks);
    const rows = [
      ['recovering', 'LOG_UNAVAILABLE'],
      ['standby', 'LOG_UNAVAILABLE'],
      ['logUnavailable', 'LOG_UNAVAILABLE'],
      ['draining', 'DRAINING'],
      ['closed', 'DRAINING'],
    ] as const;
    for (const [name, code] of rows) {
      state = { ready: false, state: name, checks: [{ name: 'log', ok: false, message: 'poisoned' }] };
      const reply = await ask(url, 'GET', '/readyz?verbose');
      expectProblem(reply, code);
      expect(reply.body).toMatchObject({
        state: name,
        checks: state.checks,
        detail: expect.stringContaining('log: poisoned'),
      });
      expect((await ask(url, 'GET', '/livez')).status).toBe(200);
    }
  });
});
