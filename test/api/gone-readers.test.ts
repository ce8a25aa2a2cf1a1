import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Lifetime } from '../../src/api/lifetime.ts';
import { Outlet } from '../../src/api/outlet.ts';
import { ReaderBudget } from '../../src/api/reader-budget.ts';
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
