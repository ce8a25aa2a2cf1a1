import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { Slices } from '../../src/api/readers/slices.ts';
import type { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { PoolService } from '../../src/manager/service.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import type { StreamItem } from '../../src/model/reading.ts';
import { SLICE_MS } from '../../src/time/turn.ts';
import { Turns } from '../support/turns.ts';
import { openPool, servePool, withOwn } from './support/pool.ts';
import { ask, expectProblem, parseRaw, serve } from './support/serve.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

interface Peer {
  readonly socket: Socket;
  readonly text: () => string;
  readonly isClosed: () => boolean;
}

/** A connection of its own that sends as it is told; `reads`: whether it takes what is sent to it. */
async function peer(url: string, bytes: string, reads = true): Promise<Peer> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  let text = '';
  let closed = false;
  if (reads)
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
  else socket.pause();
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(bytes);
  return { socket, text: () => text, isClosed: () => closed };
}

const get = (path: string, accept = 'application/json'): string =>
  `GET ${path} HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\n\r\n`;
const SSE = 'text/event-stream';
const NDJSON = 'application/x-ndjson';

const LABELS = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`note-${i}`, 'x'.repeat(250)]));

/** Leases of some 4 KB each. */
async function grant(manager: ResourcePoolManager, leases: number): Promise<void> {
  const asked = { requirements: { memory: '1Ki' }, labels: LABELS };
  await Promise.all(Array.from({ length: leases }, () => manager.allocate(asked)));
}

/** Calls of one method of the service: how many there were, and how many at once. */
function counted<Name extends 'listLeases' | 'pageEvents' | 'getUtilization'>(service: PoolService, name: Name) {
  const seen = { calls: 0, running: 0, most: 0 };
  const call = service[name].bind(service) as (...args: unknown[]) => Promise<unknown>;
  const own = async (...args: unknown[]): Promise<unknown> => {
    seen.calls += 1;
    seen.running += 1;
    seen.most = Math.max(seen.most, seen.running);
    await new Promise((resolve) => setImmediate(resolve));
    return call(...args).finally(() => {
      seen.running -= 1;
    });
  };
  return { seen, service: withOwn(service, { [name]: own } as Partial<PoolService>) };
}

/** How often it was followed, and how many of the followers' reads are open. */
function followed(manager: ResourcePoolManager) {
  const seen = { opened: 0, open: 0, texts: 0 };
  const withCount = (item: StreamItem<RecordedPoolEvent>): StreamItem<RecordedPoolEvent> => {
    if ('caughtUp' in item) return item;
    const toJSON = (): unknown => {
      seen.texts += 1;
      return item.event.data;
    };
    return { event: { ...item.event, data: { toJSON } } as unknown as RecordedPoolEvent };
  };
  const service = withOwn(manager, {
    async *followEvents(filter, signal) {
      seen.opened += 1;
      seen.open += 1;
      try {
        for await (const item of manager.followEvents(filter, signal)) yield withCount(item);
      } finally {
        seen.open -= 1;
      }
    },
  });
  return { seen, service };
}

describe('one connection', () => {
  test('is answered one request at a time, in order, however many come in one packet', async () => {
    const { manager } = await openPool();
    const { seen, service } = counted(manager, 'getUtilization');
    const { url } = await serve(service);
    const many = await peer(url, get('/v1/utilization').repeat(100) + get('/livez'));
    await expect.poll(() => many.text().match(/HTTP\/1\.1 200/g)?.length).toBe(101);
    expect(many.text()).toMatch(/\{"alive":true\}$/);
    expect([seen.calls, seen.most]).toEqual([100, 1]);
  });

  test('that takes no answer is not worked for: a thousand pages asked ahead are not made', async () => {
    const { manager } = await openPool();
    await grant(manager, 100);
    const { seen, service } = counted(manager, 'listLeases');
    const { url } = await serve(service);
    await peer(url, get('/v1/leases?limit=1000').repeat(1_000), false);
    await expect.poll(() => seen.calls).toBeGreaterThan(1);
    for (let before = -1; before !== seen.calls; ) {
      before = seen.calls;
      for (let turns = 0; turns < 5; turns += 1) expect((await ask(url, 'GET', '/livez')).status).toBe(200);
    }
    expect(seen.calls).toBeLessThan(50); // what the two kernels hold
    expect(seen.most).toBe(1);
  });
});

/** Works until a slice's time is used up. */
function workASlice(): void {
  for (const beganMs = performance.now(); performance.now() - beganMs < SLICE_MS; );
}

describe('the loop turns', () => {
  const turns = new Turns();
  afterAll(() => turns.stop());

  test('between two requests that use up their slice, though they came in one packet', async () => {
    const { manager } = await openPool();
    const begun: number[] = [];
    const getUtilization = (): ReturnType<PoolService['getUtilization']> => {
      begun.push(turns.count);
      workASlice();
      return manager.getUtilization();
    };
    const { url } = await serve(withOwn(manager, { getUtilization }));
    const many = await peer(url, get('/v1/utilization').repeat(20));
    await expect.poll(() => many.text().match(/HTTP\/1\.1 200/g)?.length).toBe(20);
    expect(new Set(begun).size).toBe(20);
  });

  test('while a long page is written as text', async () => {
    const { manager } = await openPool();
    await grant(manager, 1);
    const written: number[] = [];
    const { items, next } = await manager.listLeases();
    const slow = { ...items[0]! };
    const toJSON = (): unknown => {
      written.push(turns.count);
      workASlice();
      return slow;
    };
    const page = { items: Array.from({ length: 20 }, () => ({ ...slow, toJSON })), next };
    const { url } = await serve(withOwn(manager, { listLeases: async () => page }));
    expect((await ask(url, 'GET', '/v1/leases')).body.items).toHaveLength(20);
    expect(new Set(written).size).toBe(20);
  });
});

describe('all readers together', () => {
  const config = { overload: { pressureRatio: 1, readerBytes: 2 ** 20, longReads: 2 } };

  test('hold no more than overload.readerBytes: then reads are RATE_LIMITED, and all else goes on', async () => {
    const { url, manager } = await servePool({ config });
    await grant(manager, 250);
    const unread: Peer[] = [];
    const status = async () => {
      unread.push(await peer(url, get('/v1/leases?limit=1000').repeat(40), false));
      return (await ask(url, 'GET', '/v1/leases?limit=1')).status;
    };
    await expect.poll(status, { timeout: 20_000 }).toBe(429);
    for (const path of ['/v1/events', '/v1/refusals', '/v1/requests', '/v1/pool', '/v1/config', '/metrics'])
      expectProblem(await ask(url, 'GET', path), 'RATE_LIMITED');
    for (const accept of [SSE, NDJSON])
      expectProblem(await ask(url, 'GET', '/v1/events', { headers: { accept } }), 'RATE_LIMITED');
    const { status: granted, body: lease } = await ask(url, 'POST', '/v1/leases', {
      body: { requirements: { memory: '1Ki' } },
    });
    expect(granted).toBe(201);
    expect((await ask(url, 'GET', `/v1/leases/${lease.id}`)).status).toBe(200);
    for (const path of ['/livez', '/readyz']) expect((await ask(url, 'GET', path)).status).toBe(200);
    await ask(url, 'POST', `/v1/leases/${lease.id}/release`, { body: { token: lease.token } });
    for (const { socket } of unread) socket.destroy();
    await expect.poll(async () => (await ask(url, 'GET', '/v1/leases?limit=1')).status).toBe(200);
  });

  test('read the log so many at once as overload.longReads says, and callers do not wait for them', async () => {
    const { manager } = await openPool({ config });
    const held = Promise.withResolvers<void>();
    const hanging = withOwn(manager, {
      pageEvents: async (...args) => {
        await held.promise;
        return manager.pageEvents(...args);
      },
    });
    const { url } = await serve(hanging);
    const reading = [ask(url, 'GET', '/v1/events'), ask(url, 'GET', '/v1/events')];
    const third = async () => (await ask(url, 'GET', '/v1/pool?revision=0')).status;
    await expect.poll(third).toBe(429);
    expectProblem(await ask(url, 'GET', '/v1/events', { headers: { accept: NDJSON } }), 'RATE_LIMITED');
    expect((await ask(url, 'POST', '/v1/leases', { body: { requirements: { memory: 1 } } })).status).toBe(201);
    expect((await ask(url, 'GET', '/v1/pool')).status).toBe(200);
    held.resolve();
    expect((await Promise.all(reading)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await ask(url, 'GET', '/v1/pool?revision=0')).status).toBe(200);
  });
});

describe('readers that take nothing', () => {
  test.each([SSE, NDJSON])(
    'of %s have nothing read for them, miss nothing, and read on when they wake',
    async (accept) => {
      const { manager } = await openPool();
      await grant(manager, 2_000);
      const { seen, service } = followed(manager);
      const pages = counted(service, 'pageEvents');
      const { url } = await serve(pages.service);
      const readers = await Promise.all([1, 2].map(() => peer(url, get('/v1/events', accept), false)));
      const done = () => seen.texts + pages.seen.calls;
      await expect.poll(done).toBeGreaterThan(0);
      for (let before = -1; before !== done(); ) {
        before = done();
        for (let turns = 0; turns < 5; turns += 1) await ask(url, 'GET', '/livez');
      }
      expect([seen.open, pages.seen.running]).toEqual([0, 0]);
      const { revision } = await manager.getPool();
      expect(seen.texts).toBeLessThan(2 * revision);
      const [woken] = readers as [Peer];
      let text = '';
      woken.socket.on('data', (chunk) => {
        text += chunk.toString();
      });
      woken.socket.resume();
      const last = accept === SSE ? `id: ${revision}\n` : `"revision":${revision}}`;
      await expect.poll(() => text.includes(last), { timeout: 20_000 }).toBe(true);
      const found = text.match(accept === SSE ? /^id: \d+$/gm : /"revision":\d+\}\n/g)!;
      expect(found.map((each) => Number(/\d+/.exec(each)![0]))).toEqual(
        Array.from({ length: revision + 1 }, (_, i) => i),
      );
    },
  );

  test('for longer than may be are ended', async () => {
    const { manager, url } = await servePool({ server: { limits: { stalledMs: 100, connectionsCheckMs: 20 } } });
    await grant(manager, 250);
    const unread = await peer(url, get('/v1/leases?limit=1000').repeat(40), false);
    const live = await peer(url, get('/v1/events?from=100000', SSE));
    // A socket that does not read learns of its end by writing.
    const poke = () => unread.socket.write(get('/livez')) && unread.isClosed();
    await expect.poll(() => poke() || unread.isClosed(), { timeout: 10_000 }).toBe(true);
    expect(live.isClosed()).toBe(false);
  });
});

describe('live readers', () => {
  test('of equal filters are one read of the log and one text of each event, also for those that come later', async () => {
    const { manager } = await openPool();
    const { seen, service } = followed(manager);
    const { url } = await serve(service);
    const from = (await manager.getPool()).revision + 1;
    const follow = () => peer(url, get(`/v1/events?from=${from}`, SSE));
    const readers = await Promise.all(Array.from({ length: 20 }, follow));
    await expect.poll(() => readers.every(({ text }) => text().includes('caughtUp'))).toBe(true);
    expect(seen).toEqual({ opened: 20, open: 1, texts: 0 });
    await Promise.all(Array.from({ length: 10 }, () => manager.allocate({ requirements: { memory: '1Ki' } })));
    const { revision } = await manager.getPool();
    const ids = ({ text }: Peer) => (text().match(/^id: \d+$/gm) ?? []).map((id) => Number(id.slice(4)));
    const all = Array.from({ length: revision - from + 1 }, (_, i) => from + i);
    for (const reader of readers) await expect.poll(() => ids(reader)).toEqual(all);
    expect(seen.texts).toBe(all.length);
    const late = await follow();
    await expect.poll(() => ids(late)).toEqual(all);
    for (const { socket } of [...readers, late]) socket.destroy();
    await expect.poll(() => seen.open).toBe(0);
  });

  test('of equal filters get what is theirs wherever they began, also where the log has not come to yet', async () => {
    const { manager, url } = await servePool();
    const give = (owner: string) => manager.allocate({ owner, requirements: { memory: '1Ki' } });
    await give('ann');
    await give('bob');
    const { revision: head } = await manager.getPool();
    const ids = ({ text }: Peer) => (text().match(/^id: \d+$/gm) ?? []).map((id) => Number(id.slice(4)));
    const follow = async (query: string): Promise<Peer> => {
      const reader = await peer(url, get(`/v1/events?${query}`, SSE));
      await expect.poll(() => reader.text().includes('caughtUp')).toBe(true);
      return reader;
    };
    const ahead = await follow(`from=${head + 4}`);
    const all = await follow('from=0');
    const [annsLast, anns] = [await follow(`from=${head + 1}&owner=ann`), await follow('from=0&owner=ann')];
    for (const owner of ['bob', 'ann', 'bob', 'ann', 'bob']) await give(owner);
    const upTo = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    await expect.poll(() => ids(all)).toEqual(upTo(0, head + 5));
    await expect.poll(() => ids(ahead)).toEqual(upTo(head + 4, head + 5));
    await expect.poll(() => ids(annsLast)).toEqual([head + 2, head + 4]);
    await expect.poll(() => ids(anns)).toEqual([head - 1, head + 2, head + 4]);
  });

  test('are served in slices of 16, each in a later turn of the loop', () => {
    const turns: (() => void)[] = [];
    const slices = new Slices((run) => turns.push(run));
    let served = 0;
    slices.add({
      *steps() {
        for (let reader = 0; reader < 200; reader += 1) {
          served += 1;
          yield;
        }
      },
    });
    const perTurn: number[] = [];
    for (let run = turns.shift(); run !== undefined; run = turns.shift()) {
      const before = served;
      run();
      perTurn.push(served - before);
    }
    expect(perTurn).toEqual([...Array.from({ length: 12 }, () => 16), 8]);
  });
});

describe('a list', () => {
  test('of what waits comes in pages, by owner and tier, and the next one follows from the link', async () => {
    const { url, manager } = await servePool();
    await manager.allocate({ requirements: { memory: 100 } });
    for (const [i, owner] of ['ann', 'bob', 'ann', 'bob', 'ann'].entries())
      await manager.submit({ id: `w${i}`, owner, requirements: { memory: 1 }, waitMs: 60_000 }, { detached: true });
    const page = await ask(url, 'GET', '/v1/requests?owner=ann&tier=all&limit=2');
    const idsOf = ({ body }: { body: { items: { requestId: string }[] } }) =>
      body.items.map(({ requestId }) => requestId);
    expect(idsOf(page)).toEqual(['w0', 'w2']);
    const link = /^<(.*)>; rel="next"$/.exec(page.headers.get('link')!)![1]!;
    await manager.cancel('w2');
    const last = await ask(url, 'GET', link);
    expect([idsOf(last), last.body.next, last.headers.get('link')]).toEqual([['w4'], null, null]);
    expectProblem(await ask(url, 'GET', '/v1/requests?cursor=x'), 'INVALID_REQUEST');
    expectProblem(await ask(url, 'GET', '/v1/requests?limit=1001'), 'INVALID_REQUEST');
  });

  test('of large items ends a page at about 1 MiB, and loses none', async () => {
    const { url, manager } = await servePool();
    await grant(manager, 600);
    const seen: number[] = [];
    let pages = 0;
    for (let path: string | undefined = '/v1/leases?limit=1000'; path !== undefined; pages += 1) {
      const answer = await peer(url, get(path).replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
      await expect.poll(answer.isClosed).toBe(true);
      const { body, headers } = parseRaw(answer.text());
      expect(answer.text().length).toBeLessThan(1.1 * 2 ** 20);
      seen.push(...body.items.map(({ token }: { token: number }) => token));
      path = /^<(.*)>/.exec(headers.get('link') ?? '')?.[1];
    }
    expect(pages).toBe(3);
    expect(seen).toEqual(Array.from({ length: 600 }, (_, i) => i + 1));
  });

  test('of items that are larger when they are read again loses none', async () => {
    const { manager } = await openPool();
    let reads = 0;
    const growing = withOwn(manager, {
      listLeases: async ({ limit = 100 } = {}) => {
        reads += 1;
        const ids = Array.from({ length: Math.min(limit, 8) }, (_, id) => ({ id, text: 'x'.repeat(reads * 2 ** 18) }));
        return { items: ids, next: `after ${ids.length}` } as never;
      },
    });
    const { url } = await serve(growing);
    const { body } = await ask(url, 'GET', '/v1/leases');
    expect(body.items.length).toBeGreaterThan(0);
    expect(body.next).toBe(`after ${body.items.length}`);
  });
});
