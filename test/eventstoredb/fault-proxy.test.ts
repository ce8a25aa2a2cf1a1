import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEventStoreDb } from '../support/eventstoredb/start.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';

let echo: Server;
let proxy: FaultProxy;

beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  proxy = await startFaultProxy({ target: { host: '127.0.0.1', port: (echo.address() as AddressInfo).port } });
});
afterEach(async () => {
  await proxy.stop();
  echo.close();
});

async function connected(): Promise<Socket> {
  const socket = connect(proxy.port, proxy.host).on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

async function echoed(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  return String((await once(socket, 'data'))[0]);
}

/** A reset is an 'error' too, which `once` would reject with. */
const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));

const quiet = (socket: Socket, ms: number): Promise<'quiet' | 'data'> =>
  Promise.race([once(socket, 'data').then(() => 'data' as const), sleepQuiet(ms)]);
const sleepQuiet = (ms: number): Promise<'quiet'> => new Promise((resolve) => setTimeout(resolve, ms, 'quiet'));

test('without a fault every byte passes, in order, and is counted', async () => {
  const socket = await connected();
  expect(await echoed(socket, 'hello')).toBe('hello');
  expect(proxy.counters).toMatchObject({ accepted: 1, live: 1, cut: 0, bytesToTarget: 5, bytesToClient: 5 });
});

/** A timer of Node counts from the whole millisecond in which it was set. */
const TIMER_EARLY_MS = 1;

test('delay holds each byte back in both directions and keeps the order', async () => {
  const socket = await connected();
  proxy.delay(60);
  const startMs = performance.now();
  expect(await echoed(socket, 'slow')).toBe('slow');
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(2 * (60 - TIMER_EARLY_MS));
});

test('cut resets the connections there are; new ones are served', async () => {
  const socket = await connected();
  await echoed(socket, 'a');
  proxy.cut();
  await closed(socket);
  expect(await echoed(await connected(), 'b')).toBe('b');
  expect(proxy.counters).toMatchObject({ accepted: 2, cut: 1 });
});

test('half-open accepts and swallows; healing resets what lost bytes', async () => {
  const socket = await connected();
  proxy.halfOpen();
  socket.write('lost');
  expect(await quiet(socket, 100)).toBe('quiet');
  const late = await connected();
  late.write('lost too');
  expect(await quiet(late, 50)).toBe('quiet');
  expect(proxy.counters).toMatchObject({ bytesToTarget: 0, droppedBytesToTarget: 12 });
  proxy.heal();
  await Promise.all([closed(socket), closed(late)]);
  expect(await echoed(await connected(), 'whole')).toBe('whole');
});

test('dropAnswers lets an append happen and loses its answer', async () => {
  const server = await startEventStoreDb();
  const before = await startFaultProxy({ target: server });
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${before.port}?tls=false`);
  try {
    await client.appendToStream('s', jsonEvent({ type: 'first', data: {} }));
    before.dropAnswers();
    const lost = client.appendToStream('s', jsonEvent({ type: 'second', data: {} })).catch((error: Error) => error);
    await until(() => before.counters.droppedBytesToClient > 0);
    before.heal();
    expect(await lost).toBeInstanceOf(Error);
    expect(await typesIn(server.url, 's')).toEqual(['first', 'second']);
  } finally {
    await client.dispose();
    await before.stop();
    await server.stop();
  }
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await sleepQuiet(5);
}

async function typesIn(url: string, stream: string): Promise<string[]> {
  const direct = EventStoreDBClient.connectionString(url);
  const types: string[] = [];
  for await (const { event } of direct.readStream(stream)) types.push(event?.type ?? '');
  await direct.dispose();
  return types;
}
