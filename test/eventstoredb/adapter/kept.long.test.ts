import { binaryEvent, EventStoreDBClient, jsonEvent, type StreamMetadata } from '@eventstore/db-client';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/eventstore/check.ts';
import { snapshotStream } from '../../../src/eventstore/eventstoredb/snapshots.ts';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { type EventStore, NO_STREAM, type Snapshot } from '../../../src/model/event-store.ts';
import type { Logger } from '../../../src/model/interfaces.ts';
import { LogReader } from '../../../src/reading/log-reader.ts';
import { event, events, freshStream, mustAppend, readBack, recorded, takeUntil } from '../../eventstore/fixture.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../../support/eventstoredb/start.ts';

let server: EventStoreDbProcess;
let plain: EventStoreDBClient;
let store: EventStore;
let stream: string;
const warnings: string[] = [];
const logger: Logger = { debug() {}, info() {}, warn: (_, text) => void warnings.push(text), error() {} };

beforeAll(async () => {
  server = await startEventStoreDb({ fsync: false });
  plain = EventStoreDBClient.connectionString(server.url);
  store = await openEventStore(server.url, { logger, auditRetention: { maxAgeMs: 3_600_000, maxCount: 5 } });
});
beforeEach(() => {
  stream = freshStream();
  warnings.length = 0;
});
afterAll(async () => {
  await store.close();
  await plain.dispose();
  await server.stop();
});

const snapshot = (revision: number, state: unknown = { revision }): Snapshot => ({
  revision,
  schemaVersion: 1,
  codeVersion: '0.1.0',
  parts: [state],
});

/** Hardly to be compressed, so that it needs several parts. */
const large = (revision: number): Snapshot =>
  snapshot(revision, { noise: Array.from({ length: 200_000 }, (_, i) => Math.sin(i + revision)) });

async function typesIn(name: string): Promise<string[]> {
  const types: string[] = [];
  for await (const { event: found } of plain.readStream(name)) types.push(found?.type ?? '');
  return types;
}

const metadataOf = async (name: string): Promise<StreamMetadata> =>
  (await plain.getStreamMetadata(name)).metadata ?? {};

const read = async (name: string) => {
  const found = [];
  for await (const { event: each } of plain.readStream(name)) found.push(each!);
  return found;
};

describe('snapshots in EventStoreDB', () => {
  it('stand in a stream of their own, in parts where they are large, and the server keeps two', async () => {
    for (let n = 1; n <= 4; n++) await store.snapshots.save(stream, large(n));
    const types = await typesIn(snapshotStream(stream));
    expect(types.filter((type) => type === 'SnapshotTaken')).toHaveLength(2);
    expect(types.length).toBeGreaterThanOrEqual(6);
    expect(await metadataOf(snapshotStream(stream))).toEqual({ maxCount: types.length });
    expect(await store.snapshots.load(stream)).toEqual(large(4));
    await store.snapshots.save(stream, snapshot(5));
    expect(await store.snapshots.load(stream)).toEqual(snapshot(5));
  });

  it('fall back on the one before, with a warning, when the last is damaged or not whole', async () => {
    const name = snapshotStream(stream);
    await store.snapshots.save(stream, snapshot(1));
    await plain.setStreamMetadata(name, { maxCount: 100 });
    const [part, taken] = await read(name);
    const copyOf = (data: Uint8Array) => binaryEvent({ type: 'SnapshotPart', data });
    const flipped = Uint8Array.from(part!.data as Uint8Array, (byte, i) => (i === 30 ? byte ^ 4 : byte));
    const manifest = () => jsonEvent({ type: 'SnapshotTaken', data: taken!.data as { parts: number } });
    await plain.appendToStream(name, [copyOf(flipped), manifest()]);
    expect(await store.snapshots.load(stream)).toEqual(snapshot(1));
    expect(warnings).toEqual(['a damaged snapshot is ignored']);
    await plain.appendToStream(name, copyOf(part!.data as Uint8Array)); // its end never came
    await plain.appendToStream(name, manifest().data.parts === 1 ? [manifest(), manifest()] : []); // one without its parts
    expect(await store.snapshots.load(stream)).toEqual(snapshot(1));
    await plain.appendToStream(name, jsonEvent({ type: 'SnapshotTaken', data: {} }));
    expect(await store.snapshots.load(stream)).toEqual(snapshot(1));
  });

  it('may be deleted by an operator, in any way that EventStoreDB has', async () => {
    await store.snapshots.save(stream, snapshot(1));
    await plain.deleteStream(snapshotStream(stream));
    expect(await store.snapshots.load(stream)).toBeUndefined();
    await store.snapshots.save(stream, snapshot(2));
    await expect.poll(() => store.snapshots.load(stream)).toEqual(snapshot(2));
    await plain.tombstoneStream(snapshotStream(stream));
    expect(await store.snapshots.load(stream)).toBeUndefined();
    expect(warnings).toEqual(['snapshots that cannot be read are ignored']);
    await expect(store.snapshots.save(stream, snapshot(3))).rejects.toThrow('tombstoned');
  });

  it('never mix when two managers write at once: each is whole, or the loser says so', async () => {
    const other = await openEventStore(server.url, { logger });
    const saved = await Promise.allSettled(
      [1, 2, 3, 4].flatMap((n) => [
        store.snapshots.save(stream, large(n)),
        other.snapshots.save(stream, large(n + 10)),
      ]),
    );
    expect(saved.filter(({ status }) => status === 'fulfilled').length).toBeGreaterThan(0);
    const loaded = await store.snapshots.load(stream);
    expect([1, 2, 3, 4, 11, 12, 13, 14].map(large)).toContainEqual(loaded);
    await other.close();
  });

  it('are not written by a store that is opened to be read, and appends are refused there', async () => {
    const reader = await openEventStore(server.url, { readOnly: true });
    await reader.snapshots.save(stream, snapshot(1));
    expect(await reader.snapshots.load(stream)).toBeUndefined();
    expect(await reader.append(stream, events(1), NO_STREAM)).toMatchObject({ outcome: 'failed', retryable: false });
    await reader.close();
  });
});

describe('an audit stream', () => {
  const audit = () => `${stream}-audit`;

  it('is kept as far as the store is told, and read from where it begins', async () => {
    await mustAppend(store, audit(), events(2), NO_STREAM);
    await expect.poll(() => metadataOf(audit())).toEqual({ maxAge: 3_600, maxCount: 5 });
    const batch = events(10, 2);
    await mustAppend(store, audit(), batch, 1);
    expect(await readBack(store, audit())).toEqual(recorded(batch.slice(5), audit(), 7));
    const { seen } = await takeUntil(store.subscribe(audit()), (_, caughtUp) => caughtUp === 1);
    expect(seen.map(({ revision }) => revision)).toEqual([7, 8, 9, 10, 11]);
    await checkStore(store);
  });

  it('is paged from where it begins by who names no beginning; who names one that is gone is told the first', async () => {
    await mustAppend(store, audit(), events(2), NO_STREAM);
    await expect.poll(() => metadataOf(audit())).toMatchObject({ maxCount: 5 });
    await mustAppend(store, audit(), events(10), 1);
    const reader = new LogReader(store, stream.slice('pool-'.length));
    expect((await reader.pageRefusals({}, {})).items.map(({ revision }) => revision)).toEqual([7, 8, 9, 10, 11]);
    expect((await reader.pageRefusals({ from: 7 }, {})).items).toHaveLength(5);
    const gone = { code: 'NOT_FOUND', details: { revision: 6, first: 7 } };
    await expect(reader.pageRefusals({ from: 6 }, {})).rejects.toMatchObject(gone);
  });

  it('keeps what an operator has set', async () => {
    await plain.setStreamMetadata(audit(), { maxCount: 3, note: 'mine' });
    await mustAppend(store, audit(), events(6), NO_STREAM);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await metadataOf(audit())).toEqual({ maxCount: 3, note: 'mine' });
  });
});

describe("a pool's stream that is not whole", () => {
  it.each([
    ['its beginning is truncated', () => plain.setStreamMetadata(stream, { truncateBefore: 4 })],
    ['only its end is kept', () => plain.setStreamMetadata(stream, { maxCount: 2 })],
  ])('is refused with the place: %s', async (_, shorten) => {
    await mustAppend(store, stream, events(6), NO_STREAM);
    await shorten();
    const damaged = { name: 'DamagedLogError', place: `${stream}, revision 0` };
    await expect(readBack(store, stream)).rejects.toMatchObject(damaged);
    await expect(takeUntil(store.subscribe(stream), () => false)).rejects.toMatchObject(damaged);
    expect(await readBack(store, stream, { from: 5 })).toHaveLength(1);
  });

  it('is refused when it was deleted and written again', async () => {
    await mustAppend(store, stream, events(3), NO_STREAM);
    await plain.deleteStream(stream);
    expect(await readBack(store, stream)).toEqual([]);
    const result = await store.append(stream, events(1), NO_STREAM);
    expect(result).toMatchObject({ outcome: 'failed', cause: { name: 'DamagedLogError' } });
  });

  it('is refused when another program wrote into it', async () => {
    await mustAppend(store, stream, events(1), NO_STREAM);
    await plain.appendToStream(stream, jsonEvent({ type: 'LeaseReleased', data: {} }));
    await expect(readBack(store, stream)).rejects.toThrow(`${stream}, revision 1`);
    const text = freshStream();
    await plain.appendToStream(text, binaryEvent({ type: 'LeaseReleased', data: Buffer.from('{"a":') }));
    await expect(readBack(store, text)).rejects.toThrow(`${text}, revision 0`);
  });
});

describe('the limit of an append', () => {
  const LIMIT = 1_048_576;

  it('is the sum of the data alone: 1 048 576 bytes go through, one more is refused before anything is sent', async () => {
    expect(store.traits.maxAppendBytes).toBe(LIMIT);
    const text = (bytes: number) => 'x'.repeat(bytes - 2); // its quotes
    const full = [event(text(1_000_000)), event(text(LIMIT - 1_000_000))];
    expect(await store.append(stream, full, NO_STREAM)).toEqual({ outcome: 'appended', revision: 1 });
    const over = [event(text(1_000_000)), event(text(LIMIT - 1_000_000 + 1))];
    const result = await store.append(stream, over, 1);
    expect(result).toMatchObject({ outcome: 'failed', retryable: false });
    expect(String((result as { cause?: unknown }).cause)).toContain(`allowed: at most ${LIMIT}`);
  });

  it('counts the bytes of the text, not its letters', async () => {
    const result = await store.append(stream, [event('漢'.repeat(LIMIT / 3))], NO_STREAM);
    expect(result).toMatchObject({ outcome: 'failed', retryable: false });
  });

  it('is that of a message too: metadata of 16 MiB are refused before anything is sent', async () => {
    const one = event({});
    const huge = { ...one, metadata: { ...one.metadata, actor: 'x'.repeat(16_800_000) } };
    const result = await store.append(stream, [huge], NO_STREAM);
    expect(String((result as { cause?: unknown }).cause)).toContain('allowed: at most 16767216');
    const large = { ...one, metadata: { ...one.metadata, actor: 'x'.repeat(16_000_000) } };
    expect(await store.append(stream, [large], NO_STREAM)).toEqual({ outcome: 'appended', revision: 0 });
  });
});
