import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Lifetime } from '../../src/api/lifetime.ts';
import { Outlet } from '../../src/api/readers/outlet.ts';
import { ReaderBudget } from '../../src/api/readers/reader-budget.ts';
import { buildServer } from '../../src/api/server.ts';
import type { PoolService } from '../../src/manager/service.ts';
import { afterThisTest } from '../support/clean-up.ts';
import { openPool, withOwn } from './support/pool.ts';
import { ask } from './support/serve.ts';

/** A server over real connections that tells when it has seen that a client went. */
async function watchedServer(service: PoolService) {
  const app = await buildServer(service, { port: 0 });
  const over: Promise<unknown>[] = [];
  app.server.prependListener('request', (_request, response: ServerResponse) => over.push(once(response, 'close')));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  afterThisTest(() => app.close());
  return { url, over };
}

/** A client that asks, and goes as soon as `asked` has settled. */
async function askAndGo(url: string, path: string, asked: () => Promise<unknown>, accept = '*/*'): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\n\r\n`);
  await asked();
  socket.destroy();
}

/** A response whose client is gone, and has been told of. */
async function closedResponse(): Promise<ServerResponse> {
  const closed = Promise.withResolvers<ServerResponse>();
  const server = createServer((_request, response) => {
    response.once('close', () => setImmediate(() => closed.resolve(response)));
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const response = await closed.promise;
  server.close();
  return response;
}

describe('readers that go while they are read for', () => {
  const config = { overload: { pressureRatio: 1, longReads: 1 } };
  /** Reads that end only by their signal. */
  function endless() {
    const begun: string[] = [];
    const until = (name: string, signal: AbortSignal | undefined): Promise<never> => {
      begun.push(name);
      return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    };
    return { begun, until };
  }

  test.each([
    ['a page of events', '/v1/events', '*/*'],
    ['a page of refusals', '/v1/refusals', '*/*'],
    ['the beginning of an export', '/v1/events', 'application/x-ndjson'],
    ['the beginning of an export of refusals', '/v1/refusals', 'application/x-ndjson'],
    ['a past moment', '/v1/pool?revision=0', '*/*'],
  ])('give up their seat: %s', async (_, path, accept) => {
    const { manager } = await openPool({ config });
    const { begun, until } = endless();
    const { url, over } = await watchedServer(
      withOwn(manager, {
        pageEvents: (filter, page) => (filter.from === 0 ? manager.pageEvents(filter, page) : until('e', page.signal)),
        pageRefusals: (_filter, page) => until('r', page.signal),
        getPool: (moment, signal) => (moment === undefined ? manager.getPool() : until('p', signal)),
      }),
    );
    await askAndGo(url, path, () => expect.poll(() => begun.length).toBe(1), accept);
    await over[0];
    expect((await ask(url, 'GET', '/v1/events?from=0')).status).toBe(200);
  });

  test('have nothing more read for them: neither what a stream begins at, nor a page once more for its size', async () => {
    const { manager } = await openPool();
    const { begun, until } = endless();
    let ended = 0;
    const asked = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    let pages = 0;
    const { url, over } = await watchedServer(
      withOwn(manager, {
        pageEvents: (_filter, page) => until('e', page.signal).finally(() => (ended += 1)),
        listLeases: async () => {
          pages += 1;
          asked.resolve();
          await go.promise;
          const lease = { id: 'x'.repeat(2 ** 20) };
          return { items: [lease, lease], next: null } as never;
        },
      }),
    );
    const begins = () => expect.poll(() => begun.length).toBeGreaterThan(ended);
    await askAndGo(url, '/v1/events?from=7', begins, 'text/event-stream');
    await expect.poll(() => ended).toBe(1);
    await askAndGo(url, '/v1/leases', () => asked.promise);
    await over.at(-1);
    go.resolve();
    for (let turns = 0; turns < 5; turns += 1) await ask(url, 'GET', '/livez');
    expect(pages).toBe(1);
  });
});

describe('readers that have gone before their answer is made', () => {
  test('leave nothing in the budget: reads go on', async () => {
    const { manager } = await openPool({ config: { overload: { pressureRatio: 1, readerBytes: 2 ** 20 } } });
    const labels = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`note-${i}`, 'x'.repeat(250)]));
    const body = { requirements: { memory: '1Ki' }, labels };
    await Promise.all(Array.from({ length: 300 }, () => manager.allocate(body)));
    let asked = Promise.withResolvers<void>();
    let go = Promise.withResolvers<void>();
    const slow = withOwn(manager, {
      listLeases: async (filter) => {
        asked.resolve();
        await go.promise;
        return manager.listLeases(filter);
      },
    });
    const { url, over } = await watchedServer(slow);
    for (let client = 0; client < 3; client += 1) {
      asked = Promise.withResolvers();
      go = Promise.withResolvers();
      await askAndGo(url, '/v1/leases?limit=1000', () => asked.promise);
      await over.at(-1);
      go.resolve();
      await ask(url, 'GET', '/livez');
      expect((await ask(url, 'GET', '/v1/pool')).status).toBe(200);
    }
  });

  test('are over for whoever asks only then', async () => {
    const response = await closedResponse();
    const budget = new ReaderBudget(() => 1);
    budget.addAnswer(response, 10_000);
    const outlet = new Outlet(response, budget);
    outlet.write('x');
    expect([outlet.isGone, budget.isFull]).toEqual([true, false]);
    const lifetime = new Lifetime(1);
    const { signal } = lifetime.openStream({ raw: response });
    expect([signal.aborted, lifetime.openStreams]).toEqual([true, 0]);
  });
});
