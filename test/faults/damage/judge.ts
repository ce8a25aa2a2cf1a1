import { openEventStore } from '../../../src/eventstore/open.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import { NO_STREAM } from '../../../src/model/event-store.ts';
import type { RecordedEvent } from '../../../src/model/events.ts';
import { type Logger, SILENT } from '../../../src/model/interfaces.ts';
import { collect, event, readBack, recorded } from '../../eventstore/fixture.ts';
import { layDown, STREAMS, type StoreImage } from './store-image.ts';

/** A flipped bit of a file, or a file cut to a length in bytes. `file` is the end of its name. */
export type Damage = { readonly file: string } & ({ readonly bit: number } | { readonly length: number });

/**
 * `refused`: with the place, when it was opened or read. `same`: every event reads as it was written, and an append after it stays.
 * `cut`: as `same`, but without the last append, which was counted and logged.
 */
export type Verdict = 'refused' | 'same' | 'cut';

/** Opens the damaged copy at `path` as a writer does, reads, appends, and reads it again. Throws on anything lost in silence. */
export async function judge(image: StoreImage, damage: Damage, path: string): Promise<Verdict> {
  layDown(damaged(image, damage), path);
  const warnings: object[] = [];
  const logger: Logger = { ...SILENT, warn: (fields) => warnings.push(fields) };
  try {
    const store = await openEventStore(`sqlite:${path}`, { logger });
    const found = await readAndAppend(store).finally(() => store.close());
    const again = await openEventStore(`sqlite:${path}`, { readOnly: true });
    mustBeSame(await collect(again.readAll()).finally(() => again.close()), found.after, 'after an append');
    return compare(found.read, image, warnings);
  } catch (error) {
    if (error instanceof SilentLoss) throw error;
    mustNamePlace(error as Error, path);
    return 'refused';
  }
}

export class SilentLoss extends Error {}

async function readAndAppend(store: EventStore): Promise<{ read: RecordedEvent[]; after: RecordedEvent[] }> {
  const read = await collect(store.readAll());
  for (const stream of STREAMS) {
    const alone = read.filter((one) => one.stream === stream);
    mustBeSame(await readBack(store, stream), alone, `${stream} read by itself`);
  }
  const last = read.findLast((one) => one.stream === STREAMS[0])?.revision ?? NO_STREAM;
  const batch = [event('after the damage')];
  const result = await store.append(STREAMS[0], batch, last);
  if (result.outcome === 'unknown') throw result.cause;
  if (result.outcome !== 'appended') throw new SilentLoss(`an append after revision ${last}: ${result.outcome}`);
  return { read, after: [...read, ...recorded(batch, STREAMS[0], last + 1)] };
}

function compare(read: readonly RecordedEvent[], { events, lastAppend }: StoreImage, warnings: object[]): Verdict {
  if (read.length === events.length) {
    mustBeSame(read, events, 'read');
    return 'same';
  }
  const kept = events.slice(0, -lastAppend);
  mustBeSame(read, kept, 'read without the last append');
  const counted = { events: lastAppend, from: kept.length + 1 };
  if (!warnings.some((fields) => isLike(fields, counted))) throw new SilentLoss('the last append was cut in silence');
  return 'cut';
}

const isLike = (fields: object, wanted: Record<string, number>): boolean =>
  Object.entries(wanted).every(([name, value]) => (fields as Record<string, unknown>)[name] === value);

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
