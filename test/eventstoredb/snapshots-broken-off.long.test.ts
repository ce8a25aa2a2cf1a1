import { createCipheriv, randomUUID } from 'node:crypto';
import { binaryEvent, EventStoreDBClient } from '@eventstore/db-client';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { Appender } from '../../src/eventstore/eventstoredb/appender.ts';
import { encode } from '../../src/eventstore/eventstoredb/codec.ts';
import { snapshotStream } from '../../src/eventstore/eventstoredb/snapshots.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import type { EventStore, Snapshot } from '../../src/model/event-store.ts';
import { freshStream } from '../eventstore/fixture.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';

let server: EventStoreDbProcess;
let plain: EventStoreDBClient;
let store: EventStore;
beforeAll(async () => {
  server = await startEventStoreDb({ fsync: false });
  plain = EventStoreDBClient.connectionString(server.url);
  store = await openEventStore(server.url);
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await store.close();
  await plain.dispose();
  await server.stop();
});

/** What a large snapshot consists of: two parts and its end. */
const LARGE = ['SnapshotPart', 'SnapshotPart', 'SnapshotTaken'];
/** Hardly to be compressed, and always the same. */
const NOISE = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16))
  .update(Buffer.alloc(1_300_000))
  .toString('base64');

const small = (revision: number): Snapshot => ({ revision, schemaVersion: 1, codeVersion: '', parts: [revision] });
const large = (revision: number): Snapshot => ({ ...small(revision), parts: [NOISE] });

async function typesIn(stream: string): Promise<string[]> {
  const types: string[] = [];
  for await (const { event } of plain.readStream(snapshotStream(stream))) types.push(event?.type ?? '');
  return types;
}

/** The writer dies before its write of number `steps`, of metadata or of events: nothing that it had to send after it comes. */
async function saveAndDie(stream: string, snapshot: Snapshot, steps: number): Promise<boolean> {
  let left = steps;
  const { append } = Appender.prototype;
  const dying = vi.spyOn(Appender.prototype, 'append').mockImplementation(function (this: Appender, ...batch) {
    left -= 1;
    if (left < 0) return Promise.resolve({ kind: 'unknown', cause: new Error('died') });
    return append.apply(this, batch);
  });
  const saved = await store.snapshots.save(stream, snapshot).then(
    () => true,
    () => false,
  );
  dying.mockRestore();
  return saved;
}

const STEPS = [0, 1, 2, 3];
const DEATHS = STEPS.flatMap((first) => STEPS.map((second) => [first, second] as const));

it.each([
  ['small', small],
  ['large', large],
] as const)('the last whole snapshot, a %s one, stays, wherever two saves in a row die', async (_, before) => {
  const stream = freshStream();
  let revision = 0;
  for (const deaths of DEATHS) {
    let whole = revision++;
    await store.snapshots.save(stream, before(whole));
    for (const steps of deaths) {
      const next = revision++;
      if (await saveAndDie(stream, large(next), steps)) whole = next;
      expect((await store.snapshots.load(stream))?.revision, `deaths before writes ${deaths}`).toBe(whole);
    }
    expect((await typesIn(stream)).length).toBeLessThanOrEqual(3 * LARGE.length);
    await store.snapshots.save(stream, large(revision++));
    await store.snapshots.save(stream, large(revision++));
    expect(await typesIn(stream)).toEqual([...LARGE, ...LARGE]);
  }
});

it('a snapshot is not written behind an event that it has not counted', async () => {
  const stream = freshStream();
  await store.snapshots.save(stream, small(0));
  expect(await saveAndDie(stream, large(1), 2)).toBe(false);
  const { append } = Appender.prototype;
  let isLate = true;
  vi.spyOn(Appender.prototype, 'append').mockImplementation(async function (this: Appender, name, events, expected) {
    if (name === snapshotStream(stream) && isLate) {
      isLate = false;
      const orphan = encode(randomUUID(), 'SnapshotPart', 'application/octet-stream', Buffer.from('late'));
      await append.call(this, name, [orphan], 'any');
    }
    return append.call(this, name, events, expected);
  });
  await expect(store.snapshots.save(stream, large(2))).rejects.toThrow('wrongRevision');
  expect((await store.snapshots.load(stream))?.revision).toBe(0);
});

it('parts without end do not pile up for ever: behind 1 000 of them the snapshot before is given up', async () => {
  const stream = freshStream();
  await store.snapshots.save(stream, small(0));
  const orphan = () => binaryEvent({ type: 'SnapshotPart', data: Buffer.from('orphan') });
  const { maxCount } = (await plain.getStreamMetadata(snapshotStream(stream))).metadata ?? {};
  expect(maxCount).toBe(2);
  await plain.setStreamMetadata(snapshotStream(stream), { maxCount: 2_000 });
  await plain.appendToStream(
    snapshotStream(stream),
    Array.from({ length: 998 }, () => orphan()),
  );
  expect(await saveAndDie(stream, small(1), 1)).toBe(false);
  expect((await store.snapshots.load(stream))?.revision).toBe(0);
  await plain.appendToStream(snapshotStream(stream), [orphan(), orphan()]);
  await store.snapshots.save(stream, small(2));
  expect(await typesIn(stream)).toEqual(['SnapshotPart', 'SnapshotTaken']);
  expect((await store.snapshots.load(stream))?.revision).toBe(2);
});
