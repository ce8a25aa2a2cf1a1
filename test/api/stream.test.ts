import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { formatOf } from '../../src/api/http/accept.ts';
import { toCloudEvent } from '../../src/api/readers/cloud-event.ts';
import { fromCloudEvent } from '../../src/client/stream.ts';
import type { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import { PoolError } from '../../src/model/errors.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { openPool, STORES, servePool, withOwn } from './support/pool.ts';
import { ask, expectProblem, serve } from './support/serve.ts';

interface Frame {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

/** An SSE reader of a few lines: what a browser's EventSource would see. */
class Reader {
  readonly frames: Frame[] = [];
  comments = 0;
  ended = false;
  status = 0;
  readonly #abort = new AbortController();

  constructor(url: string, headers: Record<string, string> = {}) {
    void this.#read(url, headers).catch(() => {
      this.ended = true;
    });
  }

  close(): void {
    this.#abort.abort();
  }

  ids(): number[] {
    return this.frames.filter(({ id }) => id !== undefined).map(({ id }) => Number(id));
  }

  async #read(url: string, headers: Record<string, string>): Promise<void> {
    const response = await fetch(url, {
      headers: { accept: 'text/event-stream', ...headers },
      signal: this.#abort.signal,
    });
    this.status = response.status;
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + chunk).split('\n\n');
      text = blocks.pop()!;
      for (const block of blocks) this.#take(block);
    }
    this.ended = true;
  }

  #take(block: string): void {
    const lines = block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]);
    const frame = Object.fromEntries(lines.filter(([name]) => name !== ''));
    if (Object.keys(frame).length > 0) this.frames.push(frame);
    else this.comments += 1;
  }
}

/** Leases that come and go at once: two events each. */
async function comeAndGo(manager: ResourcePoolManager, leases: number, more: object = {}): Promise<void> {
  for (let done = 0; done < leases; done += 100) {
    const some = Array.from({ length: Math.min(100, leases - done) }, () =>
      manager.allocate({ requirements: { memory: '1Ki' }, ...more }),
    );
    await Promise.all((await Promise.all(some)).map((lease) => lease.release()));
  }
}

async function logOf(manager: ResourcePoolManager): Promise<RecordedPoolEvent[]> {
  const { revision: to } = await manager.getPool();
  const events: RecordedPoolEvent[] = [];
  for await (const event of manager.events({ filter: { to } })) events.push(event);
  return events;
}

/** Counts who follows the pool's events, and from where on. */
function watched(manager: ResourcePoolManager) {
  const seen = { following: 0, opened: [] as number[] };
  const service = withOwn(manager, {
    async *followEvents(filter, signal) {
      seen.opened.push(filter.from ?? 0);
      seen.following += 1;
      try {
        yield* manager.followEvents(filter, signal);
      } finally {
        seen.following -= 1;
      }
    },
  });
  return { seen, service };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe.each(STORES)('the live stream of events (%s)', (store) => {
  test('gives history, the mark that it is caught up, then what is committed; ids are revisions', async () => {
    const { manager } = await openPool({ store });
    const { seen, service } = watched(manager);
    const { url } = await serve(service);
    const { revision } = await manager.getPool();
    const reader = new Reader(`${url}/v1/events`);
    await expect.poll(() => reader.frames.length).toBe(revision + 3);
    expect(reader.frames[0]).toEqual({ retry: '1000' });
    expect(reader.frames.at(-1)).toEqual({ event: 'caughtUp', data: `{"next":${revision + 1}}` });
    await comeAndGo(manager, 2);
    await expect.poll(() => reader.ids()).toEqual(range(0, revision + 4));
    const events = await logOf(manager);
    const clouds = reader.frames.filter(({ id }) => id !== undefined).map(({ data }) => JSON.parse(data!));
    expect(clouds.map(fromCloudEvent)).toEqual(events);
    const granted = events.find(({ type }) => type === 'LeaseGranted')!;
    expect(clouds[granted.revision]).toMatchObject({
      specversion: '1.0',
      id: granted.id,
      source: '/streams/pool-default',
      type: 'resource-pool-manager.LeaseGranted',
      time: new Date(granted.at).toISOString(),
      subject: (granted.data as { leaseId: string }).leaseId,
      datacontenttype: 'application/json',
      sequence: String(granted.revision),
    });
    reader.close();
    await expect.poll(() => seen.following).toBe(0);
  });

  test('resumes after Last-Event-ID, which wins over from; ends at to', async () => {
    const { manager, url } = await servePool({ store });
    await comeAndGo(manager, 4);
    const resumed = new Reader(`${url}/v1/events?from=1&to=8`, { 'last-event-id': '4' });
    await expect.poll(() => resumed.ended).toBe(true);
    expect(resumed.ids()).toEqual(range(5, 8));
    expect(resumed.frames.at(-1)).toEqual({ event: 'end', data: '{}' });
    const done = new Reader(`${url}/v1/events?to=8`, { 'last-event-id': '8' });
    await expect.poll(() => done.status).toBe(204);
  });

  test('gives what the filter asks for: types, a lease, an owner', async () => {
    const { manager, url } = await servePool({ store });
    const anns = await manager.allocate({ owner: 'ann', requirements: { memory: 1 } });
    const bobs = await manager.allocate({ owner: 'bob', requirements: { memory: 1 } });
    const readers = [`lease=${anns.id}`, 'owner=bob', 'type=LeaseGranted,LeaseReleased&owner=ann', 'from=6'].map(
      (query) => new Reader(`${url}/v1/events?${query}`),
    );
    await anns.renew();
    await bobs.release();
    await anns.release();
    const { revision } = await manager.getPool();
    const expected = [
      [anns.id, ['LeaseGranted', 'LeasesRenewed', 'LeaseReleased']],
      [bobs.id, ['LeaseGranted', 'LeaseReleased']],
      [anns.id, ['LeaseGranted', 'LeaseReleased']],
    ] as const;
    for (const [i, [id, types]] of expected.entries()) {
      const events = () => readers[i]!.frames.filter(({ id }) => id !== undefined).map(({ data }) => JSON.parse(data!));
      await expect.poll(() => events().map(({ type }) => type.split('.')[1])).toEqual(types);
      expect(JSON.stringify(events())).toContain(id);
    }
    await expect.poll(() => readers[3]!.ids()).toEqual(range(6, revision));
  });

  test('the audit stream is live, too', async () => {
    const { manager, url } = await servePool({ store });
    const reader = new Reader(`${url}/v1/refusals`);
    await expect.poll(() => reader.frames.length).toBe(2);
    await manager.tryAllocate({ id: 'big', requirements: { memory: 1_000 } });
    await expect.poll(() => reader.ids(), { timeout: 5_000 }).toEqual([0]);
    expect(JSON.parse(reader.frames.at(-1)!.data!)).toMatchObject({
      source: '/streams/pool-default-audit',
      type: 'resource-pool-manager.RequestRefused',
      data: { refusal: { code: 'NEVER_FITS' }, request: { id: 'big' } },
    });
  });
});

describe('the live stream of events', () => {
  test('names of CloudEvents extensions are lower-case letters and digits, and nothing is lost on the way', async () => {
    const { manager } = await openPool();
    await comeAndGo(manager, 1, { labels: { a: 'é"\n\u2028' }, idempotencyKey: 'k' });
    for (const event of await logOf(manager)) {
      for (const name of Object.keys(toCloudEvent(event))) expect(name).toMatch(/^[a-z0-9]+$/);
      expect(fromCloudEvent(JSON.parse(JSON.stringify(toCloudEvent(event))))).toEqual(event);
    }
  });

  test('comments keep it alive while nothing happens', async () => {
    const { url } = await servePool({ server: { limits: { heartbeatMs: 20 } } });
    const reader = new Reader(`${url}/v1/events`);
    await expect.poll(() => reader.comments).toBeGreaterThan(3);
  });

  test('an outage in the middle is told, and the stream ends', async () => {
    const { manager } = await openPool();
    const { url } = await serve(
      withOwn(manager, {
        async *followEvents(filter, signal) {
          yield* manager.followEvents({ ...filter, to: 1 }, signal);
          throw new PoolError('LOG_UNAVAILABLE', 'the disk is gone');
        },
      }),
    );
    const reader = new Reader(`${url}/v1/events`);
    await expect.poll(() => reader.ended).toBe(true);
    expect(reader.ids()).toEqual([0, 1]);
    expect(JSON.parse(reader.frames.at(-1)!.data!)).toMatchObject({ code: 'LOG_UNAVAILABLE', status: 503 });
  });

  test('more streams than the limit are refused, and a closed one makes room', async () => {
    const { url } = await servePool({ server: { limits: { streams: 1 } } });
    const first = new Reader(`${url}/v1/events`);
    await expect.poll(() => first.status).toBe(200);
    const headers = { accept: 'text/event-stream' };
    expectProblem(await ask(url, 'GET', '/v1/events', { headers }), 'OVERLOADED');
    first.close();
    const open = async () => {
      const response = await fetch(`${url}/v1/events`, { headers });
      await response.body?.cancel();
      return response.status;
    };
    await expect.poll(open).toBe(200);
  });

  test('HEAD of a stream ends', async () => {
    const { url } = await servePool();
    expect((await ask(url, 'HEAD', '/v1/events', { headers: { accept: 'text/event-stream' } })).status).toBe(200);
  });
});

describe('a slow reader', () => {
  test('is bounded, reads on from the log when it wakes, and misses nothing', async () => {
    const { manager } = await openPool();
    const { seen, service } = watched(manager);
    const { url } = await serve(service, { limits: { streamEvents: 64, streamBytes: 64 * 1024 } });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n');
    await expect.poll(() => text.includes('caughtUp')).toBe(true);
    socket.pause();
    const labels = Object.fromEntries(range(0, 14).map((i) => [`note-${i}`, 'x'.repeat(250)]));
    await comeAndGo(manager, 3_000, { labels });
    // It was demoted: while it takes nothing, nobody follows the log for it, and nothing is held.
    await expect.poll(() => seen.following).toBe(0);
    expect(socket.isPaused()).toBe(true);
    const { revision } = await manager.getPool();
    socket.resume();
    await expect.poll(() => idsIn(text).at(-1), { timeout: 20_000 }).toBe(revision);
    expect(idsIn(text)).toEqual(range(0, revision));
    expect(seen.opened.length).toBeGreaterThan(1);
    await comeAndGo(manager, 1);
    await expect.poll(() => idsIn(text).at(-1)).toBe(revision + 2);
    socket.destroy();
    await expect.poll(() => seen.following).toBe(0);
  });
});

const idsIn = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));

describe('the same log as pages and lines', () => {
  test('the form is the one that Accept likes best', () => {
    const rows = [
      [undefined, 'json'],
      ['*/*', 'json'],
      ['text/html', 'json'],
      ['text/event-stream', 'sse'],
      ['application/x-ndjson', 'ndjson'],
      ['application/json;q=0.5, application/x-ndjson', 'ndjson'],
      ['text/event-stream;q=0, application/json', 'json'],
      ['application/json, text/event-stream', 'json'],
      ['TEXT/Event-Stream; charset=utf-8', 'sse'],
    ] as const;
    for (const [accept, format] of rows) expect(formatOf(accept), accept).toBe(format);
  });

  test.each(STORES)(
    'a page links to the next with the same query; lines go on to the end, or to limit (%s)',
    async (store) => {
      const { manager, url } = await servePool({ store });
      await comeAndGo(manager, 1_200, { owner: 'ann' });
      const events = await logOf(manager);
      const anns = events.slice(events.findIndex(({ type }) => type === 'LeaseGranted'));
      const page = await ask(url, 'GET', '/v1/events?limit=10&owner=ann');
      expect(page.body.items).toEqual(anns.slice(0, 10));
      expect(page.headers.get('link')).toBe(`</v1/events?limit=10&owner=ann&cursor=${page.body.next}>; rel="next"`);
      expect((await ask(url, 'GET', `/v1/events?limit=10&owner=ann&cursor=${page.body.next}`)).body.items).toEqual(
        anns.slice(10, 20),
      );
      const lines = async (query: string) => {
        const response = await fetch(`${url}/v1/events${query}`, { headers: { accept: 'application/x-ndjson' } });
        expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
        return (await response.text())
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line));
      };
      expect(await lines('')).toEqual(events);
      expect(await lines('?limit=700')).toEqual(events.slice(0, 700));
      expect(await lines('?cursor=2000')).toEqual(events.slice(2_000));
      expect(await lines('?from=3&to=5')).toEqual(events.slice(3, 6));
    },
  );
});
