import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { parseStoreUrl } from '../../../src/eventstore/eventstoredb/connection/url.ts';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { NO_STREAM } from '../../../src/model/event-store.ts';
import { events, freshStream, mustAppend, readBack } from '../../eventstore/fixture.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../../support/eventstoredb/start.ts';
import { CA_FILE, startTlsFront } from '../../support/tls-front.ts';
import { watchCalls } from '../http2-calls.ts';

let server: EventStoreDbProcess;
beforeAll(async () => {
  server = await startEventStoreDb({ fsync: false });
});
afterAll(() => server.stop());

/** Appends to the store of the URL, reads it back, and closes. */
async function writesAndReads(url: string): Promise<void> {
  const store = await openEventStore(url);
  const stream = freshStream();
  await mustAppend(store, stream, events(3), NO_STREAM);
  expect(await readBack(store, stream)).toHaveLength(3);
  await store.close();
}

describe('the URL of an EventStoreDB', () => {
  it.each([
    ['one node', () => `esdb://127.0.0.1:${server.port}?tls=false`],
    ['with a slash', () => `esdb://127.0.0.1:${server.port}/?tls=false`],
    ['seeds of a cluster, the first of which is down', () => `esdb://127.0.0.1:1,127.0.0.1:${server.port}?tls=false`],
    ['a name to discover the cluster by', () => `esdb+discover://127.0.0.1:${server.port}?tls=false`],
    ['options in other letters', () => `esdb://127.0.0.1:${server.port}?TLS=false&keep-alive-interval=20000`],
  ])('reaches it: %s', async (_, url) => {
    await writesAndReads(url());
  });

  it('carries the options of TLS and the credentials, which are sent with every call of the fast path', async () => {
    const watch = watchCalls();
    const front = await startTlsFront(server);
    const tls = `tlsCAFile=${encodeURIComponent(CA_FILE)}`;
    await writesAndReads(`esdb://writer:s%40cret%3A@localhost:${front.port}?${tls}`);
    const basic = `Basic ${Buffer.from('writer:s@cret:').toString('base64')}`;
    expect(watch.calls.map(({ method, authorization }) => [method, authorization])).toEqual([
      ['BatchAppend', basic],
      ['Read', basic],
    ]);
    watch.stop();
    await front.stop();
  });

  it('is not believed without TLS: a certificate that nobody vouches for is refused', async () => {
    const front = await startTlsFront(server);
    const store = await openEventStore(`esdb://localhost:${front.port}?defaultDeadline=1000`);
    await expect(readBack(store, freshStream())).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await store.close();
    await front.stop();
  });

  it('is shown without credentials', async () => {
    const store = await openEventStore('esdb://user:secret@a:2113,b:2113?tls=false');
    expect(store.traits.url).toBe('esdb://a:2113,b:2113?tls=false');
    await store.close();
  });

  it.each([
    ['esdb://', 'allowed: esdb://'],
    ['esdb://user:secret@', 'allowed: esdb://'],
    ['esdb://user@host:2113', 'percent-encoded'],
    ['esdb://user:sec:ret@host:2113', 'percent-encoded'],
    ['esdb://user:secret@ho st:2113', 'allowed: esdb://'],
    ['esdb://user:secret@host:port', 'allowed: esdb://'],
    ['esdb://user:secret@[::1]:2113', 'HOST a name or an IPv4 address'],
    ['esdb://user:secret@::1:2113', 'HOST a name or an IPv4 address'],
    ['esdb://user:secret@host:99999', 'store: "esdb://host:99999" is not allowed; allowed: PORT from 1 to 65535'],
    ['esdb://user:secret@host:2113,other:0', 'PORT from 1 to 65535'],
    ['esdb://user:secret@host:2113?tsl=false', 'options: tls, '],
    ['esdb://user:secret@host:2113?tls', 'OPTION=VALUE'],
    ['esdb://user:secret@host:2113?tls=perhaps', 'true or false'],
    ['esdb://user:secret@host:2113?defaultDeadline=0', 'defaultDeadline'],
    ['esdb://user:secret@host:2113?nodePreference=nearest', 'leader'],
    ['esdb://user:secret@host:2113?tlsCAFile=/not/there', 'certificate file'],
  ])('%s is refused, saying what is allowed and no secret', async (url, allowed) => {
    const opened = openEventStore(url);
    await expect(opened).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    await expect(opened).rejects.toThrow(allowed);
    await expect(opened).rejects.not.toThrow(/secret|sec:ret/);
  });

  it.each([
    ['::1:2113', 'the server names ::1:2113, an IPv6 address, which the client does not take'],
    ['node 1:2113', 'the server names node 1:2113, no HOST:PORT, which'],
    ['node1:0', 'the server names node1:0, no HOST:PORT, which'],
  ])('blames the server and not the URL for the node %s', (node, message) => {
    const { connectionTo } = parseStoreUrl('esdb://a:1,b:1');
    expect(() => connectionTo(node)).toThrow(expect.objectContaining({ code: 'LOG_UNAVAILABLE' }));
    expect(() => connectionTo(node)).toThrow(message);
  });

  it('asks for a keepalive that notices a frozen server within 8 s, and lets the operator decide otherwise', () => {
    const { connection } = parseStoreUrl('esdb://h:1?tls=false');
    expect(connection).toBe('esdb://h:1?tls=false&keepAliveInterval=5000&keepAliveTimeout=3000&defaultDeadline=3000');
    expect(parseStoreUrl('esdb://h:1?keepAliveInterval=20000').connection).toContain('keepAliveInterval=20000&');
  });

  it('makes the client print nothing', async () => {
    const printed = vi.spyOn(console, 'warn');
    await (await openEventStore('esdb://h:1?tls=false')).close();
    expect(printed).not.toHaveBeenCalled();
    printed.mockRestore();
  });
});

/** What a program, run as a process of its own, prints last. */
function run(program: string): unknown {
  const index = new URL('../../../src/index.ts', import.meta.url).href;
  const store = new URL('../../../src/eventstore/index.ts', import.meta.url).href;
  const code = `import Module from 'node:module';
    import * as pool from ${JSON.stringify(index)};
    import { openEventStore } from ${JSON.stringify(store)};
    const loaded = () => Object.keys(Module._cache).filter((path) => /@eventstore|@grpc|protobuf/.test(path)).length;
    ${program}`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

describe('the client package', () => {
  it('is loaded only when the URL of an EventStoreDB is used', () => {
    const folder = mkdtempSync(join(tmpdir(), 'rpm-load-'));
    const printed = run(`
      const counts = [loaded()];
      for (const url of ['memory:', ${JSON.stringify(`sqlite:${join(folder, 'pool.db')}`)}]) {
        const detector = pool.createResourceDetector({ capacity: { memory: '1Gi' } });
        const manager = new pool.ResourcePoolManager(detector, pool.DEFAULT_POOL_CONFIG, { eventStore: url });
        await manager.release(await manager.allocate({ requirements: { memory: 1 } }));
        await manager.dispose();
        counts.push(loaded());
      }
      await (await openEventStore('esdb://127.0.0.1:1?tls=false')).close();
      console.log(JSON.stringify([...counts, loaded() > 0]));
    `);
    expect(printed).toEqual([0, 0, 0, true]);
    rmSync(folder, { recursive: true });
  });

  it('keeps no process alive once the store is closed', () => {
    const printed = run(`
      const store = await openEventStore(${JSON.stringify(server.url)});
      for await (const item of store.subscribe('pool-nobody')) break;
      await store.close();
      console.log(JSON.stringify('closed'));
    `);
    expect(printed).toBe('closed');
  });
});
