/**
 * Allocates on the EventStoreDB adapter, over the server in test/support in a process of its own, beside the bare client: making
 * the same number of single appends with the same number of callers, and appending the very batches that the allocates
 * became. Rounds are short and their contenders follow each other, so that what else the machine does befalls all of them. Then
 * the catch-up over a log, beside the bare client's own. `EVENTSTORE_URL` names another server, `CATCH_UP_EVENTS` another length.
 */
import { randomUUID } from 'node:crypto';
import { EventStoreDBClient, type JSONEventData, jsonEvent } from '@eventstore/db-client';
import { openEventStore } from '../../src/eventstore/open.ts';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import type { EventStore } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { startEventStoreDb } from '../../test/support/eventstoredb/start.ts';
import { note, progress, summary, tell } from '../measure.ts';

const ROUNDS = 24;
const WARM_UP = 4;
/** Allocates of a round. */
const ALLOCATES: Readonly<Record<number, number>> = { 1: 192, 64: 1_024, 512: 4_096 };
const CATCH_UP_EVENTS = Number(process.env['CATCH_UP_EVENTS'] ?? 1_000_000);
/** Of the log that is caught up with, the reads take so many. */
const READ_EVENTS = Math.min(200_000, CATCH_UP_EVENTS);

const given = process.env['EVENTSTORE_URL'];
const server = given === undefined ? await startEventStoreDb({ fsync: true }) : undefined;
const url = given ?? server!.url;
const client = EventStoreDBClient.connectionString(url);

type Batch = { readonly events: readonly NewEvent[]; readonly expected: number };

/** The adapter, and what the pool's stream was sent since `batches` was last emptied. */
function recording(inner: EventStore): { store: EventStore; batches: Batch[] } {
  const batches: Batch[] = [];
  const store: EventStore = {
    traits: inner.traits,
    snapshots: inner.snapshots,
    append: (stream, events, expected) => {
      if (!stream.endsWith('-audit')) batches.push({ events: [...events], expected });
      return inner.append(stream, events, expected);
    },
    read: (stream, options) => inner.read(stream, options),
    readAll: (options) => inner.readAll(options),
    subscribe: (stream, options) => inner.subscribe(stream, options),
    close: () => inner.close(),
  };
  return { store, batches };
}

const asJson = ({ id, type, data, metadata, at, schemaVersion }: NewEvent): JSONEventData =>
  jsonEvent({ id, type, data: data as Record<string, unknown>, metadata: { ...metadata, at, schemaVersion } });

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** `count` calls in all, made by `callers` that each wait for their last one. */
const byCallers = (callers: number, count: number, call: () => Promise<unknown>): Promise<unknown> =>
  Promise.all(
    Array.from({ length: callers }, async () => {
      for (let i = 0; i < count / callers; i++) await call();
    }),
  );

async function appendBatches(batches: readonly Batch[]): Promise<void> {
  const stream = `bare-${randomUUID()}`;
  let next = 0;
  for (const { events } of batches) {
    const expectedRevision = next === 0 ? ('no_stream' as const) : BigInt(next - 1);
    await client.appendToStream(stream, events.map(asJson), { expectedRevision });
    next += events.length;
  }
}

async function appendByAdapter(store: EventStore, batches: readonly Batch[]): Promise<void> {
  const stream = `pool-bare-${randomUUID()}`;
  let next = 0;
  for (const { events } of batches) {
    const result = await store.append(stream, events, next - 1);
    if (result.outcome !== 'appended') throw new Error(`append: ${JSON.stringify(result)}`);
    next += events.length;
  }
}

async function allocates(): Promise<void> {
  const { store, batches } = recording(await openEventStore(url));
  const detector = createResourceDetector({ capacity: { memory: '8Ti', cpu: 4_000_000 } });
  const config = {
    ...DEFAULT_POOL_CONFIG,
    maxPoolSize: 1_000_000,
    resourceTimeoutMs: 3_600_000,
    enableCircuitBreaker: false,
  };
  const manager = new ResourcePoolManager(detector, config, { eventStore: store, poolId: `bench-${randomUUID()}` });
  await manager.ready();
  const single = { type: 'LeaseGranted', data: {} as unknown };
  let done = 0;
  for (const [text, count] of Object.entries(ALLOCATES)) {
    const callers = Number(text);
    const ms = { ours: [] as number[], adapter: [] as number[], singles: [] as number[], batches: [] as number[] };
    let events = 0;
    let sent = 0;
    for (let round = 0; round < ROUNDS; round++) {
      batches.length = 0;
      const leases: { id: string; token: number }[] = [];
      const allocate = async () => {
        leases.push(await manager.allocate({ requirements: { memory: 1, cpu: 1 } }));
      };
      const ours = await timed(() => byCallers(callers, count, allocate));
      const sentNow = batches.splice(0);
      single.data = sentNow[0]!.events[0]!.data;
      const adapter = await timed(() => appendByAdapter(store, sentNow));
      batches.length = 0;
      const same = await timed(() => appendBatches(sentNow));
      const stream = `bare-${randomUUID()}`;
      const append = () =>
        client.appendToStream(stream, jsonEvent(single as { type: string; data: Record<string, unknown> }));
      const singles = await timed(() => byCallers(callers, count, append));
      await Promise.all(leases.map((lease) => manager.release(lease)));
      progress(++done, ROUNDS * 6);
      if (round < WARM_UP) continue;
      ms.ours.push(ours);
      ms.adapter.push(adapter);
      ms.batches.push(same);
      ms.singles.push(singles);
      sent += sentNow.length;
      events += sentNow.reduce((sum, batch) => sum + batch.events.length, 0);
    }
    const perCall = (all: readonly number[]) => summary(all.map((each) => (each * 1_000) / count));
    const ratio = (a: readonly number[], b: readonly number[]) => summary(a.map((each, i) => each / b[i]!)).p50;
    const who = `${callers} callers`;
    tell({ what: `allocate, ${who}`, ...perCall(ms.ours), unit: 'us' });
    tell({ what: `bare client, single appends, ${who}`, ...perCall(ms.singles), unit: 'us' });
    tell({ what: `bare client, the same batches, ${who}`, ...perCall(ms.batches), unit: 'us' });
    tell({ what: `adapter alone, the same batches, ${who}`, ...perCall(ms.adapter), unit: 'us' });
    tell({ what: `single appends / allocate, ${who}`, p50: ratio(ms.singles, ms.ours), unit: 'x' });
    const bar = { is: 'at most', value: 1.15 } as const;
    tell({ what: `allocate / the same batches, ${who}`, p50: ratio(ms.ours, ms.batches), unit: 'x', bar });
    note(
      `${who}: ${(events / sent).toFixed(1)} events to a batch, ${Math.round(count / (summary(ms.ours).p50 / 1_000))} allocates/s`,
    );
  }
  await manager.dispose();
  await store.close();
}

const PAGE = 2_000;

async function catchUp(): Promise<void> {
  const store = await openEventStore(url);
  const stream = `pool-bench-${randomUUID()}`;
  const [template] = await grants();
  for (let n = 0; n < CATCH_UP_EVENTS; n += PAGE) {
    const page = Array.from({ length: Math.min(PAGE, CATCH_UP_EVENTS - n) }, () => ({
      ...template!,
      id: randomUUID(),
    }));
    const result = await store.append(stream, page, n - 1);
    if (result.outcome !== 'appended') throw new Error(`append: ${JSON.stringify(result)}`);
    progress(ROUNDS * (3 + (n / CATCH_UP_EVENTS) * 1.5), ROUNDS * 6);
  }
  const figures: readonly (readonly [string, number, () => Promise<number>])[] = [
    ['subscription of the adapter to its mark', CATCH_UP_EVENTS, () => untilCaughtUp(store, stream)],
    ['subscription of the bare client', CATCH_UP_EVENTS, () => bareSubscription(stream)],
    ['read of the adapter', READ_EVENTS, () => counted(store.read(stream, { limit: READ_EVENTS }))],
    ['read of the bare client', READ_EVENTS, () => bareRead(stream)],
  ];
  for (const [what, length, run] of figures) {
    let seen = 0;
    const ms = await timed(async () => {
      seen = await run();
    });
    if (seen !== length) throw new Error(`${what}: ${seen} events`);
    tell({ what: `${what}, ${length.toLocaleString('en')} events`, p50: length / ms, unit: 'k/s' });
  }
  await store.close();
}

/** Events as an allocate makes them. */
async function grants(): Promise<readonly NewEvent[]> {
  const manager = new ResourcePoolManager(createResourceDetector({ capacity: { memory: '1Gi', cpu: 400 } }));
  await manager.allocate({ requirements: { memory: 1, cpu: 1 } });
  const events: NewEvent[] = [];
  for await (const event of manager.events({ filter: { types: ['LeaseGranted'] } })) {
    events.push(event);
    break;
  }
  await manager.dispose();
  return events;
}

async function counted(pages: AsyncIterable<readonly unknown[]>): Promise<number> {
  let events = 0;
  for await (const page of pages) events += page.length;
  return events;
}

async function untilCaughtUp(store: EventStore, stream: string): Promise<number> {
  let events = 0;
  for await (const item of store.subscribe(stream)) {
    if ('caughtUp' in item) return events;
    events += item.events.length;
  }
  return events;
}

async function bareRead(stream: string): Promise<number> {
  let events = 0;
  for await (const _ of client.readStream(stream, { maxCount: READ_EVENTS })) events += 1;
  return events;
}

async function bareSubscription(stream: string): Promise<number> {
  const subscription = client.subscribeToStream(stream);
  let events = 0;
  for await (const _ of subscription) {
    events += 1;
    if (events === CATCH_UP_EVENTS) break;
  }
  await subscription.unsubscribe();
  return events;
}

try {
  await allocates();
  await catchUp();
} finally {
  await client.dispose();
  await server?.stop();
}
