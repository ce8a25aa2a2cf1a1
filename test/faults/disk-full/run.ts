import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openEventStore } from '../../../src/eventstore/open.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import type { NewEvent } from '../../../src/model/events.ts';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { event, readBack } from '../../eventstore/fixture.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { SmallDisk } from './small-disk.ts';

const DISK_BYTES = 2 * 2 ** 20;
/** What the largest batch takes of the disk, with room to spare. */
const BATCH_BYTES = 64 * 2 ** 10;
/** Of one log; then the disk is emptied, before the log alone fills it. */
const ROUNDS_OF_A_DISK = 5;
const STREAM = 'pool-a';

/** Fills the disk under a store, frees it, and looks what is left, over and over. */
export async function diskFullRun(share: Share): Promise<Counts> {
  const random = randomSource(share.seed + share.part);
  const tally = new Tally();
  let disk: SmallDisk | undefined;
  let known: string[] = [];
  try {
    for (let round = 0, done = 0; round < share.count; round++) {
      if (!mine(round, share)) continue;
      if (done++ % ROUNDS_OF_A_DISK === 0) {
        disk?.remove();
        disk = new SmallDisk(DISK_BYTES);
        known = [];
      }
      await oneRound(disk!, known, random, tally).catch((error: unknown) => {
        throw new Error(`round ${round}: ${error}`, { cause: error });
      });
    }
  } finally {
    disk?.remove();
  }
  return tally.counts;
}

async function oneRound(disk: SmallDisk, known: string[], random: () => number, tally: Tally): Promise<void> {
  const url = `sqlite:${join(disk.folder, 'log.db')}`;
  disk.free();
  let store = await openEventStore(url);
  const from = known.length;
  try {
    disk.fill(random() % 100_000);
    const doubtful = await appendUntilFull(store, known, random);
    tally.add('rounds');
    tally.add('refused for want of room');
    if (random() % 3 === 0) {
      await store.close(); // what does not fit into the file stays where it is
      store = await openInThere(url, disk);
      tally.add('stopped while full');
    }
    await mustHold(store, known, doubtful, disk, tally);
    store = await withLittleRoom(store, url, known, doubtful, disk, random, tally);
    disk.free();
    for (let i = 0; i < 3; i++) await mustAppend(store, batchOf(1 + (random() % 4), random), known);
    await mustBe(store, known);
    tally.add('acknowledged events', known.length - from);
  } finally {
    await store.close();
  }
}

const batchOf = (count: number, random: () => number): NewEvent[] =>
  Array.from({ length: count }, () => event('x'.repeat(random() % 2_000)));

/**
 * As soon as one batch fits, appends go on, though nothing else does: over and over, and over a stop and a start on the full disk. The same
 * store, nothing repaired.
 */
async function withLittleRoom(
  store: EventStore,
  url: string,
  known: string[],
  doubtful: readonly NewEvent[],
  disk: SmallDisk,
  random: () => number,
  tally: Tally,
): Promise<EventStore> {
  let [open, batch] = [store, doubtful];
  for (let i = 0; i < 3; i++) {
    disk.leave(BATCH_BYTES + (random() % 150_000));
    await mustAppend(open, batch, known);
    tally.add('went on with little room');
    batch = await appendUntilFull(open, known, random);
    if (random() % 2 === 0) continue;
    await open.close();
    open = await openInThere(url, disk);
    await mustHold(open, known, batch, disk, tally);
  }
  disk.leave(BATCH_BYTES);
  await mustAppend(open, batch, known);
  return open;
}

/** The batch that did not get through any more. */
async function appendUntilFull(store: EventStore, known: string[], random: () => number): Promise<NewEvent[]> {
  for (let i = 0; i < 1_000; i++) {
    const batch = batchOf(1 + (random() % 4), random);
    const result = await store.append(STREAM, batch, known.length - 1);
    if (result.outcome === 'unknown') return batch;
    if (result.outcome !== 'appended') throw new Error(`an append is answered ${JSON.stringify(result)}`);
    known.push(...batch.map(({ id }) => id));
    await turn();
  }
  throw new Error('the disk does not get full');
}

/** Opened while there is no room: if that is why it is refused, then once more when there is. */
async function openInThere(url: string, disk: SmallDisk): Promise<EventStore> {
  try {
    return await openEventStore(url);
  } catch (error) {
    if (!String(error).includes('the disk is full')) throw error;
    disk.free();
    return openEventStore(url);
  }
}

/** While there is no room: an append stays in doubt or gets through, and what is read is what was acknowledged. */
async function mustHold(
  store: EventStore,
  known: string[],
  doubtful: readonly NewEvent[],
  disk: SmallDisk,
  tally: Tally,
): Promise<void> {
  const result = await store.append(STREAM, doubtful, known.length - 1);
  if (result.outcome !== 'unknown' && result.outcome !== 'appended')
    throw new Error(`with ${disk.freeBytes} bytes free an append is answered ${JSON.stringify(result)}`);
  tally.add(`tried again while full: ${result.outcome}`);
  const after = [...known, ...doubtful.map(({ id }) => id)];
  const read = await readBack(store, STREAM).then(idsOf, (error: { code?: string }) => error.code);
  const allowed = [after.join(), ...(result.outcome === 'unknown' ? [known.join(), 'LOG_UNAVAILABLE'] : [])];
  if (!allowed.includes(String(read))) throw new Error(`read while full: ${read}`);
  tally.add(read === 'LOG_UNAVAILABLE' ? 'reads refused while full' : 'reads answered while full');
}

async function mustAppend(store: EventStore, batch: readonly NewEvent[], known: string[]): Promise<void> {
  const result = await store.append(STREAM, batch, known.length - 1);
  if (result.outcome !== 'appended') throw new Error(`with room again an append is answered ${JSON.stringify(result)}`);
  known.push(...batch.map(({ id }) => id));
}

async function mustBe(store: EventStore, known: readonly string[]): Promise<void> {
  const read = idsOf(await readBack(store, STREAM));
  if (read !== known.join())
    throw new Error(`${read.split(',').length} events read, ${known.length} were acknowledged`);
}

const idsOf = (events: readonly { readonly id: string }[]): string => events.map(({ id }) => id).join();
