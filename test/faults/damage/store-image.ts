import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEventStore } from '../../../src/eventstore/open.ts';
import type { RecordedEvent } from '../../../src/model/events.ts';
import { event, mustAppend, recorded } from '../../eventstore/fixture.ts';

/** The files of a store by the end of their name (`''` is the file itself), with the events that they hold. */
export interface StoreImage {
  readonly files: ReadonlyMap<string, Buffer>;
  /** In the order of commits. */
  readonly events: readonly RecordedEvent[];
  /** How many of them the last append wrote. */
  readonly lastAppend: number;
}

export interface ImageOptions {
  readonly folder: string;
  /** Events of each append; every third append goes to the second stream. */
  readonly batches: readonly number[];
  /** Closed cleanly: everything lies in the file itself. Otherwise as a kill leaves it: in the WAL what was not yet moved. */
  readonly closed: boolean;
}

export const STREAMS = ['pool-a', 'pool-a-audit'] as const;

/** A store written by the store itself, and its files as they lie on the disk. */
export async function makeImage({ folder, batches, closed }: ImageOptions): Promise<StoreImage> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'log.db');
  const store = await openEventStore(`sqlite:${path}`);
  const events: RecordedEvent[] = [];
  const heads = new Map<string, number>();
  for (const [i, count] of batches.entries()) {
    const stream = STREAMS[i % 3 === 2 ? 1 : 0];
    const before = heads.get(stream) ?? -1;
    const batch = Array.from({ length: count }, (_, n) => event({ n: events.length + n, note: 'x'.repeat(40) }));
    heads.set(stream, await mustAppend(store, stream, batch, before));
    events.push(...recorded(batch, stream, before + 1));
  }
  if (closed) await store.close();
  const files = readImage(path);
  await store.close();
  rmSync(folder, { recursive: true });
  return { files, events, lastAppend: batches.at(-1) ?? 0 };
}

/** The files beside `path` that belong to it, without the lock and the shared memory, which a reboot takes away. */
function readImage(path: string): Map<string, Buffer> {
  const names = readdirSync(join(path, '..'), { withFileTypes: true });
  const files = new Map<string, Buffer>();
  for (const entry of names) {
    const end = join(path, '..', entry.name).slice(path.length);
    if (entry.isFile() && end !== '.lock' && end !== '-shm') files.set(end, readFileSync(`${path}${end}`));
  }
  return files;
}

/** Lays the files down at `path`, whatever lay there before. */
export function layDown(files: ReadonlyMap<string, Uint8Array>, path: string): void {
  for (const end of ['-wal', '-shm', '.mark']) if (!files.has(end)) rmSync(`${path}${end}`, { force: true });
  rmSync(`${path}-shm`, { force: true });
  for (const [end, bytes] of files) writeFileSync(`${path}${end}`, bytes);
}
