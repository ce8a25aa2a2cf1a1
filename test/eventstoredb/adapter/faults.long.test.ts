import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { type AppendResult, asFolded, NO_STREAM } from '../../../src/model/event-store.ts';
import { event, events, freshStream, mustAppend, readBack, recorded } from '../../eventstore/fixture.ts';
import { startEventStoreDb } from '../../support/eventstoredb/start.ts';
import { watchCalls } from '../http2-calls.ts';
import { type Rig, settle, startRig } from './adapter.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

const pauseMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const reached = async (is: () => boolean) => {
  while (!is()) await pauseMs(5);
};

/** More has come to the proxy than `before`. */
const sent = (before: number) => reached(() => rig.proxy.counters.bytesToTarget > before);

describe('an append', () => {
  test('that the server never answers ends unknown in time, and is found written by the identical batch', async () => {
    const store = await rig.open('&defaultDeadline=300');
    const stream = freshStream();
    const [first, second] = [events(2), events(2)];
    await mustAppend(store, stream, first, NO_STREAM);
    rig.proxy.dropAnswers();
    expect(await store.append(stream, second, 1)).toMatchObject({ outcome: 'unknown' });
    rig.proxy.heal();
    expect(await settle(store, stream, second, 1)).toEqual({ outcome: 'appended', revision: 3 });
    expect(await readBack(store, stream)).toEqual(recorded([...first, ...second], stream));
  });

  test('to a frozen server ends unknown in time; the answer that comes after all harms nobody', async () => {
    const store = await rig.open('&defaultDeadline=300');
    const stream = freshStream();
    await mustAppend(store, stream, events(1), NO_STREAM);
    await rig.server.kill('SIGSTOP');
    const batch = events(1);
    expect(await store.append(stream, batch, 0)).toMatchObject({ outcome: 'unknown' });
    await rig.server.kill('SIGCONT');
    expect(await settle(store, stream, batch, 0)).toEqual({ outcome: 'appended', revision: 1 });
    expect(await readBack(store, stream)).toHaveLength(2);
  });

  test('is not touched by the lost connection of another client in the process', async () => {
    const other = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${rig.proxy.port}?tls=false`);
    await other.appendToStream('elsewhere', jsonEvent({ type: 'Happened', data: {} }));
    const store = await openEventStore(rig.server.url);
    const stream = freshStream();
    await mustAppend(store, stream, events(1), NO_STREAM);
    await rig.server.kill('SIGSTOP');
    const appended = store.append(stream, events(1), 0);
    const lost = other.appendToStream('elsewhere', jsonEvent({ type: 'Happened', data: {} })).catch(() => 'lost');
    await pauseMs(50);
    rig.proxy.cut();
    expect(await lost).toBe('lost');
    await rig.server.kill('SIGCONT');
    expect(await appended).toEqual({ outcome: 'appended', revision: 1 });
    await store.close();
    await other.dispose();
  });

  test('goes on for others when one is refused: a negative revision, a BigInt, a cycle', async () => {
    const store = await rig.open();
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    const streams = [freshStream(), freshStream(), freshStream(), freshStream()];
    await rig.server.kill('SIGSTOP');
    const good = streams.map((stream) => store.append(stream, events(1), NO_STREAM));
    const refused: AppendResult[] = [
      await store.append(freshStream(), events(1), -2),
      await store.append(freshStream(), [event({ n: 1n })], NO_STREAM),
      await store.append(freshStream(), [event(cycle)], NO_STREAM),
      await store.append('pool-a', asFolded(recorded([event({ n: 1n })], 'pool-a')), NO_STREAM), // not looked through
    ];
    await rig.server.kill('SIGCONT');
    expect(refused.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed', 'failed']);
    expect(await Promise.all(good)).toEqual(streams.map(() => ({ outcome: 'appended', revision: 0 })));
  });

  test.each(['cut', 'killed'] as const)(
    'whose connection is %s is unknown at once, and the identical batch settles it',
    async (how) => {
      const store = await rig.open('&defaultDeadline=60000');
      const stream = freshStream();
      await mustAppend(store, stream, events(1), NO_STREAM);
      const batch = events(3);
      const before = rig.proxy.counters.bytesToTarget;
      await rig.server.kill('SIGSTOP');
      const result = store.append(stream, batch, 0);
      await sent(before);
      if (how === 'cut') rig.proxy.cut();
      else await rig.server.kill();
      expect(await result).toMatchObject({ outcome: 'unknown' });
      if (how === 'cut') await rig.server.kill('SIGCONT');
      else await rig.server.restart();
      expect(await settle(store, stream, batch, 0)).toEqual({ outcome: 'appended', revision: 3 });
      expect(await readBack(store, stream)).toHaveLength(4);
    },
  );

  test('that landed unanswered is found written by the identical batch, also by a server that was started anew', async () => {
    const store = await rig.open('&defaultDeadline=300');
    const stream = freshStream();
    await mustAppend(store, stream, events(1), NO_STREAM);
    rig.proxy.dropAnswers();
    const batch = events(2);
    expect(await store.append(stream, batch, 0)).toMatchObject({ outcome: 'unknown' });
    await rig.server.restart();
    rig.proxy.heal();
    expect(await settle(store, stream, batch, 0)).toEqual({ outcome: 'appended', revision: 2 });
    expect(await readBack(store, stream)).toHaveLength(3);
  });

  test('while the server is down is unknown (a raw gRPC error, code 14); reads say LOG_UNAVAILABLE', async () => {
    const store = await rig.open('&defaultDeadline=500');
    const stream = freshStream();
    await rig.server.kill();
    const batch = events(1);
    expect(await store.append(stream, batch, NO_STREAM)).toMatchObject({ outcome: 'unknown' });
    await expect(readBack(store, stream)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', retryable: true });
    await expect(first(store.subscribe(stream))).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    await rig.server.restart();
    expect(await settle(store, stream, batch)).toEqual({ outcome: 'appended', revision: 0 });
  });

  test('is "try again" while a server starts and says that it is not ready', async () => {
    const server = await startEventStoreDb({ fsync: false, notReadyMs: 400 });
    const store = await openEventStore(server.url);
    const stream = freshStream();
    const batch = events(1);
    expect(await store.append(stream, batch, NO_STREAM)).toMatchObject({ outcome: 'unknown' });
    await expect(readBack(store, stream)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(await settle(store, stream, batch)).toEqual({ outcome: 'appended', revision: 0 });
    await store.close();
    await server.stop();
  });

  test('takes the fast path: all of them, and their refusals, on one call', async () => {
    const watch = watchCalls();
    const store = await rig.open();
    const streams = Array.from({ length: 20 }, freshStream);
    await Promise.all(streams.map((stream) => mustAppend(store, stream, events(2), NO_STREAM)));
    for (const stream of streams) expect((await store.append(stream, events(1), 5)).outcome).toBe('conflict');
    expect(watch.count('BatchAppend')).toBe(1);
    expect(watch.count('Append')).toBe(0);
    watch.stop();
  });
});

describe('a read', () => {
  test('that is left frees its call, forward, backward, of all, and a subscription', async () => {
    const watch = watchCalls();
    const store = await rig.open();
    const stream = freshStream();
    for (let n = 0; n < 5; n++) await mustAppend(store, stream, events(4_000, n * 4_000), n * 4_000 - 1);
    for (let i = 0; i < 10; i++) {
      await first(store.read(stream));
      await first(store.read(stream, { direction: 'backward' }));
      await first(store.readAll());
      await first(store.subscribe(stream));
    }
    await reached(() => watch.open('Read') === 0);
    expect(watch.count('Read')).toBeGreaterThanOrEqual(40);
    watch.stop();
  });

  test('of a slow reader holds at most 1 024 events or 1 MiB, and is neither dropped nor doubled', async () => {
    const store = await rig.open();
    const stream = freshStream();
    const text = 'x'.repeat(1_000);
    const batch = Array.from({ length: 1_000 }, (_, n) => event({ n, text }));
    for (let n = 0; n < 8; n++) await mustAppend(store, stream, batch.map(copy), n * 1_000 - 1);
    const before = rig.proxy.counters.bytesToClient;
    const seen: number[] = [];
    for await (const page of store.read(stream)) {
      if (seen.length === 0) {
        await pauseMs(500);
        expect(rig.proxy.counters.bytesToClient - before).toBeLessThan(4 << 20);
      }
      expect(page.length).toBeLessThanOrEqual(1_024);
      seen.push(...page.map(({ revision }) => revision));
    }
    expect(seen).toEqual(Array.from({ length: 8_000 }, (_, n) => n));
  });
});

describe('a subscription', () => {
  test('goes on where it was over lost connections and restarts of the server', async () => {
    const store = await rig.open();
    const writer = await rig.open();
    const stream = freshStream();
    const [seen, total] = [[] as number[], 300];
    const abort = new AbortController();
    const reading = (async () => {
      for await (const item of store.subscribe(stream, { signal: abort.signal }))
        if ('events' in item) seen.push(...item.events.map(({ revision }) => revision));
    })();
    for (let n = 0; n < total; n++) {
      const batch = events(1, n);
      expect(await settle(writer, stream, batch, n - 1)).toEqual({ outcome: 'appended', revision: n });
      if (n % 20 === 10) rig.proxy.cut();
      if (n === 150) await rig.server.restart();
    }
    await reached(() => seen.length >= total);
    abort.abort();
    await reading;
    expect(seen).toEqual(Array.from({ length: total }, (_, n) => n));
    expect(rig.warnings.filter((text) => text.includes('subscription')).length).toBeGreaterThan(3);
  });

  test('notices a server that is frozen by its keepalive, while nothing is sent', async () => {
    const store = await rig.open('&keepAliveInterval=400&keepAliveTimeout=400');
    const stream = freshStream();
    await mustAppend(store, stream, events(1), NO_STREAM);
    const abort = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const item of store.subscribe(stream, { signal: abort.signal }))
        if ('events' in item) seen.push(...item.events.map(({ revision }) => revision));
    })();
    await reached(() => seen.length === 1);
    await rig.server.kill('SIGSTOP');
    await reached(() => rig.warnings.some((text) => text.includes('subscription')));
    await rig.server.kill('SIGCONT');
    expect((await settle(store, stream, events(1), 0)).outcome).toBe('appended');
    await reached(() => seen.length === 2);
    abort.abort();
    await reading;
  });

  test('says once more that it has caught up after its reader was too slow', async () => {
    const store = await rig.open();
    const stream = freshStream();
    await mustAppend(store, stream, events(10), NO_STREAM);
    const marks: number[] = [];
    let seen = 0;
    for await (const item of store.subscribe(stream)) {
      if ('events' in item) seen += item.events.length;
      else marks.push(seen);
      if (marks.length === 1 && seen === 10) {
        for (let n = 0; n < 3; n++) await mustAppend(store, stream, events(2_000), 9 + n * 2_000);
        await pauseMs(300);
      }
      if (marks.length === 2) break;
    }
    expect(marks).toEqual([10, 6_010]);
  });
});

const copy = (e: ReturnType<typeof event>) => ({ ...e, id: event({}).id });

async function first<T>(items: AsyncIterable<T>): Promise<T | undefined> {
  for await (const item of items) return item;
  return undefined;
}
