import { existsSync } from 'node:fs';
import { openEventStore } from '../../../src/eventstore/open.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import { NO_STREAM } from '../../../src/model/event-store.ts';
import type { RecordedEvent } from '../../../src/model/events.ts';
import { type Logger, SILENT } from '../../../src/model/interfaces.ts';
import { collect, event, readBack, recorded } from '../../eventstore/fixture.ts';
import { layDown, readImage, STREAMS, type StoreImage } from './store-image.ts';

/** A flipped bit of a file, or a file cut to a length in bytes. `file` is the end of its name. */
export type Damage = { readonly file: string } & ({ readonly bit: number } | { readonly length: number });

/**
 * `refused`: with the place, when it was opened or read, and every file is as it was. `same`: every event reads as it was written, and an
 * append after it stays. `cut`: as `same`, but without an append that was not acknowledged, which was counted and logged.
 */
export type Verdict = 'refused' | 'same' | 'cut';

/** Reads the damaged copy at `path`, opens it as a writer does, reads, appends, and reads it again. Throws on anything lost in silence. */
export async function judge(image: StoreImage, damage: Damage, path: string): Promise<Verdict> {
  const laid = damaged(image, damage);
  layDown(laid, path);
  await readWhole(path).catch((error: Error) => mustNamePlace(error, path));
  mustBeUntouched(laid, path, 'a check');
  const warnings: object[] = [];
  const logger: Logger = { ...SILENT, warn: (fields) => warnings.push(fields) };
  const open = await openEventStore(`sqlite:${path}`, { logger }).catch((error: Error) => error);
  if (open instanceof Error) {
    mustNamePlace(open, path);
    mustBeUntouched(laid, path, 'a refused start');
    return 'refused';
  }
  try {
    const read = await readStreams(open).catch(async (error: Error) => {
      await open.close();
      mustBeUntouched(laid, path, 'a start that was refused while it read');
      throw error;
    });
    const after = await appendAfter(open, read).finally(() => open.close());
    mustBeSame(await readWhole(path), after, 'after an append');
    return compare(read, image, warnings, isAtFrame(damage));
  } catch (error) {
    if (error instanceof SilentLoss) throw error;
    mustNamePlace(error as Error, path);
    return 'refused';
  }
}

async function readWhole(path: string): Promise<RecordedEvent[]> {
  const store = await openEventStore(`sqlite:${path}`, { readOnly: true, whole: true });
  return collect(store.readAll()).finally(() => store.close());
}

function mustBeUntouched(laid: ReadonlyMap<string, Uint8Array>, path: string, who: string): void {
  const found = readImage(path);
  for (const end of new Set([...laid.keys(), ...found.keys()])) {
    const [before, after] = [laid.get(end), found.get(end)];
    if (before === undefined || after === undefined || !after.equals(before))
      throw new SilentLoss(`${who} has changed ${end === '' ? 'the file' : end}`);
  }
  if (existsSync(`${path}-shm`)) throw new SilentLoss(`${who} has left shared memory`);
}

export class SilentLoss extends Error {}

async function readStreams(store: EventStore): Promise<RecordedEvent[]> {
  const read = await collect(store.readAll());
  for (const stream of STREAMS) {
    const alone = read.filter((one) => one.stream === stream);
    mustBeSame(await readBack(store, stream), alone, `${stream} read by itself`);
  }
  return read;
}

async function appendAfter(store: EventStore, read: readonly RecordedEvent[]): Promise<RecordedEvent[]> {
  const last = read.findLast((one) => one.stream === STREAMS[0])?.revision ?? NO_STREAM;
  const batch = [event('after the damage')];
  const result = await store.append(STREAMS[0], batch, last);
  if (result.outcome === 'unknown') throw result.cause;
  if (result.outcome !== 'appended') throw new SilentLoss(`an append after revision ${last}: ${result.outcome}`);
  return [...read, ...recorded(batch, STREAMS[0], last + 1)];
}

/** A write-ahead log that ends where a frame ends does not show that there was more. */
const isAtFrame = (damage: Damage): boolean =>
  damage.file === '-wal' && 'length' in damage && (damage.length - 32) % (24 + 8_192) === 0;

function compare(
  read: readonly RecordedEvent[],
  { events, acknowledged }: StoreImage,
  warnings: object[],
  nothingShows: boolean,
): Verdict {
  if (read.length < acknowledged) throw new SilentLoss(`${acknowledged - read.length} acknowledged events are lost`);
  mustBeSame(read, events.slice(0, read.length), 'read');
  if (read.length === events.length) return 'same';
  if (!nothingShows && !warnings.some((fields) => Number((fields as { frames?: number }).frames) > 0))
    throw new SilentLoss('the last append was cut in silence');
  return 'cut';
}

function mustBeSame(found: readonly RecordedEvent[], wanted: readonly RecordedEvent[], when: string): void {
  if (JSON.stringify(found) === JSON.stringify(wanted)) return;
  const at = wanted.findIndex((one, i) => JSON.stringify(one) !== JSON.stringify(found[i]));
  throw new SilentLoss(`${when}: ${found.length} events of ${wanted.length}, the first that differs is ${at}`);
}

function mustNamePlace(error: Error, path: string): void {
  if (error.message.includes(path) || /(revision|position) \d/.test(error.message)) return;
  throw new SilentLoss(`refused without a place: ${error.stack}`);
}

function damaged(image: StoreImage, damage: Damage): Map<string, Uint8Array> {
  const whole = image.files.get(damage.file)!;
  let bytes: Uint8Array;
  if ('length' in damage) bytes = whole.subarray(0, damage.length);
  else {
    bytes = Uint8Array.from(whole);
    bytes[damage.bit >> 3]! ^= 1 << (damage.bit & 7);
  }
  return new Map<string, Uint8Array>(image.files).set(damage.file, bytes);
}
