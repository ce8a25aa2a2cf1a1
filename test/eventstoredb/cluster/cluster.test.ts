import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { type EventStore, NO_STREAM } from '../../../src/model/event-store.ts';
import { events, freshStream, readBack } from '../../eventstore/fixture.ts';
import { TestCluster } from '../../support/eventstoredb/cluster/cluster.ts';
import { settle } from '../adapter/adapter.ts';
import { FAST, FAULTS, mend } from './faults.ts';

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster.stop());
beforeEach(async () => {
  await mend(cluster);
  cluster.elect(cluster.nodes[0]);
});
const stores: EventStore[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

async function open(url = cluster.url(FAST), readOnly = false): Promise<EventStore> {
  const store = await openEventStore(url, { readOnly });
  stores.push(store);
  return store;
}

describe('an append goes on at another leader, while the fault lasts', () => {
  test.each(FAULTS.filter(({ short }) => short).map((fault) => [fault.name, fault] as const))(
    '%s',
    async (_, fault) => {
      const store = await open();
      const stream = freshStream();
      await again(store, stream, NO_STREAM, events(2));
      await fault.begin(cluster);
      expect(await again(store, stream, 1)).toEqual({ outcome: 'appended', revision: 4 });
      expect(await readBack(store, stream)).toHaveLength(5);
    },
  );
});

/** An identical batch until the answer is definite; what was not even sent may be sent again. */
async function again(store: EventStore, stream: string, expected: number, batch = events(3)) {
  for (;;) {
    const result = await settle(store, stream, batch, expected);
    if (result.outcome !== 'failed' || !result.retryable) return result;
  }
}

test('a leader that froze, and is named on, is not gone back to once the keepalive has dropped the connection', async () => {
  const store = await open(
    cluster.url(FAST.replace(/keepAliveInterval=\d+&keepAliveTimeout=\d+/, 'keepAliveInterval=50&keepAliveTimeout=50')),
  );
  const stream = freshStream();
  await again(store, stream, NO_STREAM, events(1));
  for (const node of cluster.followers) node.loseTouch();
  cluster.nodes[0]!.freeze();
  const settled = again(store, stream, 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  cluster.elect(cluster.nodes[1]);
  for (const node of cluster.nodes.slice(1)) node.rejoin();
  expect(await settled).toEqual({ outcome: 'appended', revision: 3 });
});

const SNAPSHOT = { parts: [{}], revision: 2, schemaVersion: 1, codeVersion: '' };

/** What the call gives once it gives something. */
async function inTheEnd<T>(run: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const ended = await run().catch(() => undefined);
    if (ended !== undefined) return ended;
  }
}

describe('every other call', () => {
  test('a subscription goes on at the new leader, without a gap', async () => {
    const [store, writer] = [await open(), await open()];
    const stream = freshStream();
    await again(writer, stream, NO_STREAM, events(2));
    const seen: number[] = [];
    const abort = new AbortController();
    const reading = (async () => {
      for await (const item of store.subscribe(stream, { signal: abort.signal }))
        if ('events' in item) seen.push(...item.events.map(({ revision }) => revision));
    })();
    await reached(() => seen.length === 2);
    cluster.nodes[0]!.freeze();
    cluster.elect(cluster.nodes[1]);
    await again(writer, stream, 1);
    await reached(() => seen.length === 5);
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    abort.abort();
    await reading;
  });

  test.each([
    ['a read', async (store: EventStore, stream: string) => (await readBack(store, stream)).length],
    ['a search of all', async (store: EventStore) => Number((await allOf(store)) > 0) * 2],
    [
      'a snapshot that is loaded',
      async (store: EventStore, stream: string) => (await store.snapshots.load(stream))?.revision,
    ],
    [
      'a snapshot that is saved',
      (store: EventStore, stream: string) => store.snapshots.save(stream, SNAPSHOT).then(() => 2),
    ],
  ] as const)('%s that met a frozen leader says so in time, and succeeds at the new one', async (_, run) => {
    const store = await open();
    const stream = freshStream();
    await again(store, stream, NO_STREAM, events(2));
    await inTheEnd(() => store.snapshots.save(stream, SNAPSHOT).then(() => true));
    cluster.nodes[0]!.freeze();
    cluster.elect(cluster.nodes[1]);
    expect(await inTheEnd(() => run(store, stream))).toBe(2);
  });

  test('a reader is content with a follower where nobody leads', async () => {
    const store = await open();
    const stream = freshStream();
    await again(store, stream, NO_STREAM, events(2));
    cluster.elect(undefined);
    for (const node of cluster.nodes.slice(1)) node.claimFollower();
    const reader = await open(cluster.url(FAST), true);
    expect(await readBack(reader, stream)).toHaveLength(2);
  });
});

test('an address in gossip that the client refuses is passed over', async () => {
  for (const node of cluster.nodes) node.claimMember('::1');
  const store = await open();
  expect(await again(store, freshStream(), NO_STREAM)).toEqual({ outcome: 'appended', revision: 2 });
});

test('an address in gossip that the client refuses is told as what gossip said, where no other node can be used', async () => {
  cluster.elect(undefined);
  for (const node of cluster.nodes) node.claimMember('::1');
  const store = await open(cluster.url('&maxDiscoverAttempts=1'));
  const read = readBack(store, freshStream());
  await expect(read).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
  await expect(read).rejects.toThrow('the server names ::1:2113, an IPv6 address, which the client does not take');
  await expect(read).rejects.not.toThrow('is not allowed');
});

describe('a seed', () => {
  test.each(['killed', 'frozen', 'cut off'] as const)(
    'that is %s costs no time: all are asked at once',
    async (how) => {
      cluster.elect(cluster.nodes[2]);
      const [first] = cluster.nodes;
      if (how === 'killed') await first!.kill();
      else if (how === 'frozen') first!.freeze();
      else first!.cutOff();
      // longer than the test may take: whoever waits for the seed is never done
      const store = await open(cluster.url('&gossipTimeout=600000&defaultDeadline=600000'));
      const stream = freshStream();
      await again(store, stream, NO_STREAM, events(1));
      expect(await readBack(store, stream)).toHaveLength(1);
    },
  );

  test('is all that is needed to find the others, and not needed any more once they are known', async () => {
    const [seed] = cluster.nodes;
    const store = await open(`esdb+discover://127.0.0.1:${seed!.port}?tls=false${FAST}`);
    const stream = freshStream();
    await again(store, stream, NO_STREAM, events(1));
    await seed!.kill();
    cluster.elect(cluster.nodes[2]);
    expect(await again(store, stream, 0)).toEqual({ outcome: 'appended', revision: 3 });
  });
});

async function allOf(store: EventStore): Promise<number> {
  let count = 0;
  for await (const page of store.readAll()) count += page.length;
  return count;
}

async function reached(is: () => boolean): Promise<void> {
  while (!is()) await new Promise((resolve) => setTimeout(resolve, 5));
}
