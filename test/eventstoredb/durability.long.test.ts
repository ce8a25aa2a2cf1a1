import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogFile } from '../support/eventstoredb/log/log-file.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';

let directory: string;
let server: EventStoreDbProcess | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'eventstoredb-test-'));
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  rmSync(directory, { recursive: true, force: true });
});

const connectTo = ({ url }: EventStoreDbProcess): EventStoreDBClient => EventStoreDBClient.connectionString(url);

/** Appends one event after the other until the connection is lost; the revisions that were acknowledged. */
async function appendUntilLost(client: EventStoreDBClient, from: bigint, onFirst: () => void): Promise<bigint[]> {
  const acknowledged: bigint[] = [];
  try {
    for (let revision = from; ; revision++) {
      const event = jsonEvent({ type: 'counted', data: { revision: Number(revision) } });
      await client.appendToStream('s', event, { expectedRevision: revision === 0n ? 'no_stream' : revision - 1n });
      acknowledged.push(revision);
      onFirst();
    }
  } catch {
    return acknowledged;
  }
}

async function revisionsIn(client: EventStoreDBClient): Promise<number[]> {
  const revisions: number[] = [];
  for await (const { event } of client.readStream<{ type: 'counted'; data: { revision: number } }>('s')) {
    revisions.push(event?.data.revision ?? -1);
  }
  return revisions;
}

test('after kill -9 under load every acknowledged event is there, in order, and the server goes on', async () => {
  server = await startEventStoreDb({ dataDir: directory });
  let nextRevision = 0n;
  for (let cycle = 0; cycle < 8; cycle++) {
    const client = connectTo(server);
    const first = Promise.withResolvers<void>();
    const load = appendUntilLost(client, nextRevision, first.resolve);
    await first.promise;
    await new Promise((resolve) => setTimeout(resolve, 40));
    await server.kill();
    const acknowledged = await load;
    await client.dispose();
    await server.restart();
    const reader = connectTo(server);
    const revisions = await revisionsIn(reader);
    await reader.dispose();
    expect(acknowledged.length).toBeGreaterThan(0);
    expect(revisions.length).toBeGreaterThan(Number(acknowledged.at(-1)));
    expect(revisions).toEqual(revisions.map((_, index) => index));
    nextRevision = BigInt(revisions.length);
  }
});

test('a frozen server answers what it was sent once it is thawed', async () => {
  server = await startEventStoreDb({ dataDir: directory });
  const client = connectTo(server);
  await client.appendToStream('s', jsonEvent({ type: 'counted', data: {} }));
  await server.kill('SIGSTOP');
  const append = client.appendToStream('s', jsonEvent({ type: 'counted', data: {} }));
  const isAnswered = await Promise.race([append.then(() => true), new Promise((go) => setTimeout(go, 200, false))]);
  expect(isAnswered).toBe(false);
  await server.kill('SIGCONT');
  expect((await append).nextExpectedRevision).toBe(1n);
  await client.dispose();
});

test('a server that is not ready yet says so', async () => {
  server = await startEventStoreDb({ dataDir: directory, notReadyMs: 60_000 });
  const client = connectTo(server);
  await expect(client.appendToStream('s', jsonEvent({ type: 'counted', data: {} }))).rejects.toThrow(
    'Server Is Not Ready',
  );
  await expect(revisionsIn(client)).rejects.toThrow('Server Is Not Ready');
  await client.dispose();
});

async function entriesIn(folder: string): Promise<{ texts: string[]; cutBytes: number }> {
  const { file, entries, cutBytes } = await openLogFile(folder, true);
  await file.close();
  return { texts: entries.map(String), cutBytes };
}

test('a log cut short at any byte, or with any one byte changed, opens with the entries before that place', async () => {
  const { file } = await openLogFile(directory, true);
  const texts = ['first entry', 'second', 'the third'];
  const written = texts.map((text) => new Promise<void>((resolve) => file.append(Buffer.from(text), resolve)));
  await Promise.all(written);
  await file.close();
  const path = join(directory, 'events.log');
  const whole = readFileSync(path);
  const ends = texts.map((_, index) => texts.slice(0, index + 1).reduce((bytes, text) => bytes + 8 + text.length, 0));
  for (let place = 0; place < whole.length; place++) {
    const kept = texts.slice(0, ends.filter((end) => end <= place).length);
    writeFileSync(path, whole.subarray(0, place));
    expect((await entriesIn(directory)).texts).toEqual(kept);
    const changed = Buffer.from(whole);
    changed[place] = whole[place]! ^ 0x10;
    writeFileSync(path, changed);
    const opened = await entriesIn(directory);
    expect(opened.texts).toEqual(kept);
    expect(opened.cutBytes).toBe(whole.length - (ends[kept.length - 1] ?? 0));
  }
});
