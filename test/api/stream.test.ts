import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { formatOf } from '../../src/api/accept.ts';
import { toCloudEvent } from '../../src/api/cloud-event.ts';
import { fromCloudEvent } from '../../src/client/stream.ts';
import { PoolError } from '../../src/model/errors.ts';
import type { EventFilter } from '../../src/model/reading.ts';
import { ask, expectProblem, serve } from './support/serve.ts';
import { SmallLog } from './support/small-log.ts';
import { eventAt, smallService } from './support/small-service.ts';

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

const logService = (log: SmallLog) => smallService({ followEvents: (filter, signal) => log.follow(filter, signal) });
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('the live stream of events', () => {
  test('gives history, the mark that it is caught up, then what is committed; ids are revisions', async () => {
    const log = new SmallLog();
    log.append(5);
    const { url } = await serve(logService(log));
    const reader = new Reader(`${url}/v1/events`);
    await expect.poll(() => reader.frames.length).toBe(7);
    expect(reader.frames[0]).toEqual({ retry: '1000' });
    expect(reader.frames[6]).toEqual({ event: 'caughtUp', data: '{"next":5}' });
    log.append(3);
    await expect.poll(() => reader.ids()).toEqual(range(0, 7));
    const cloud = JSON.parse(reader.frames[1]!.data!);
    expect(cloud).toMatchObject({
      specversion: '1.0',
      id: log.events[0]!.id,
      source: '/streams/pool-default',
      type: 'resource-pool-manager.LeaseReleased',
      time: '2023-11-14T22:13:20.000Z',
      subject: 'lease-0',
      datacontenttype: 'application/json',
      sequence: '0',
    });
    expect(fromCloudEvent(cloud)).toEqual(log.events[0]);
    reader.close();
    await expect.poll(() => log.following).toBe(0);
  });

  test('names of CloudEvents extensions are lower-case letters and digits, and nothing is lost on the way', () => {
    const event = eventAt(3, 'é"\n');
    for (const name of Object.keys(toCloudEvent(event))) expect(name).toMatch(/^[a-z0-9]+$/);
    expect(fromCloudEvent(JSON.parse(JSON.stringify(toCloudEvent(event))))).toEqual(event);
  });

  test('resumes after Last-Event-ID, which wins over from; ends at to', async () => {
    const log = new SmallLog();
    log.append(10);
    const { url } = await serve(logService(log));
    const resumed = new Reader(`${url}/v1/events?from=1&to=8`, { 'last-event-id': '4' });
    await expect.poll(() => resumed.ended).toBe(true);
    expect(resumed.ids()).toEqual(range(5, 8));
    expect(resumed.frames.at(-1)).toEqual({ event: 'end', data: '{}' });
    const done = new Reader(`${url}/v1/events?to=8`, { 'last-event-id': '8' });
    await expect.poll(() => done.status).toBe(204);
  });

  test('filters are handed on', async () => {
    const seen: EventFilter[] = [];
    const log = new SmallLog();
    const followEvents = (filter: EventFilter, signal?: AbortSignal) => {
      seen.push(filter);
      return log.follow(filter, signal);
    };
    const { url } = await serve(smallService({ followEvents }));
    new Reader(`${url}/v1/events?from=3&type=LeaseGranted,LeaseReleased&lease=l-1&owner=ann`);
    await expect
      .poll(() => seen)
      .toEqual([{ from: 3, types: ['LeaseGranted', 'LeaseReleased'], leaseId: 'l-1', owner: 'ann' }]);
  });

  test('comments keep it alive while nothing happens', async () => {
    const { url } = await serve(logService(new SmallLog()), { limits: { heartbeatMs: 20 } });
    const reader = new Reader(`${url}/v1/events`);
    await expect.poll(() => reader.comments).toBeGreaterThan(3);
  });

  test('an outage in the middle is told, and the stream ends', async () => {
    const log = new SmallLog();
    log.append(2);
    const followEvents = async function* (filter: EventFilter) {
      yield* log.follow({ ...filter, to: 1 });
      throw new PoolError('LOG_UNAVAILABLE', 'the disk is gone');
    };
    const { url } = await serve(smallService({ followEvents }));
    const reader = new Reader(`${url}/v1/events`);
    await expect.poll(() => reader.ended).toBe(true);
    expect(reader.ids()).toEqual([0, 1]);
    expect(JSON.parse(reader.frames.at(-1)!.data!)).toMatchObject({ code: 'LOG_UNAVAILABLE', status: 503 });
  });

  test('more streams than the limit are refused, and a closed one makes room', async () => {
    const { url } = await serve(logService(new SmallLog()), { limits: { streams: 1 } });
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
    const { url } = await serve(logService(new SmallLog()));
    expect((await ask(url, 'HEAD', '/v1/events', { headers: { accept: 'text/event-stream' } })).status).toBe(200);
  });
});

describe('a slow reader', () => {
  test('is bounded, reads on from the log when it wakes, and misses nothing', async () => {
    const log = new SmallLog();
    const { url } = await serve(logService(log), { limits: { streamEvents: 64, streamBytes: 64 * 1024 } });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
    });
    socket.write('GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n');
    await expect.poll(() => text.includes('caughtUp')).toBe(true);
    socket.pause();
    const note = 'x'.repeat(2_000);
    for (let i = 0; i < 200; i += 1) {
      log.append(20, note);
      await new Promise((resolve) => setImmediate(resolve));
    }
    // It was demoted: while it takes nothing, nobody follows the log for it, and nothing is held.
    await expect.poll(() => log.following).toBe(0);
    expect(socket.isPaused()).toBe(true);
    socket.resume();
    await expect.poll(() => idsIn(text).at(-1), { timeout: 20_000 }).toBe(log.events.length - 1);
    expect(idsIn(text)).toEqual(range(0, log.events.length - 1));
    expect(log.opened.length).toBeGreaterThan(1);
    log.append(1);
    await expect.poll(() => idsIn(text).at(-1)).toBe(log.events.length - 1);
    socket.destroy();
    await expect.poll(() => log.following).toBe(0);
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

  test('a page links to the next with the same query; lines go on to the end, or to limit', async () => {
    const events = range(0, 2_499).map((revision) => eventAt(revision));
    const pageEvents = async (_: EventFilter, { cursor, limit = 100 }: { cursor?: string; limit?: number }) => {
      const start = Number(cursor ?? 0);
      const end = start + limit;
      return { items: events.slice(start, end), next: end < events.length ? String(end) : null };
    };
    const { url } = await serve(smallService({ pageEvents }));
    const page = await ask(url, 'GET', '/v1/events?limit=10&owner=ann');
    expect(page.body.items).toEqual(events.slice(0, 10));
    expect(page.headers.get('link')).toBe('</v1/events?limit=10&owner=ann&cursor=10>; rel="next"');
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
  });
});
