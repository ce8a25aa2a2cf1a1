import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { type EventStore, NO_STREAM } from '../../../src/model/event-store.ts';
import type { RecordedEvent } from '../../../src/model/events.ts';
import { event, mustAppend, recorded } from '../../eventstore/fixture.ts';

/** The files of a store by the end of their name (`''` is the file itself), with the events that they hold. */
export interface StoreImage {
  readonly files: ReadonlyMap<string, Buffer>;
  /** In the order of commits. */
  readonly events: readonly RecordedEvent[];
  /** How many of them the mark says were acknowledged: all, or all but the last append's. */
  readonly acknowledged: number;
}

export interface ImageOptions {
  readonly folder: string;
  /** Events of each append of each life of the store; every third append goes to the second stream. */
  readonly lives: readonly (readonly number[])[];
  /** Whether the last life was closed: then everything lies in the file itself. Otherwise as a kill leaves it, its appends in the WAL. */
  readonly closed: boolean;
  /** The mark is as it was before the last append: what a power cut may leave. */
  readonly markBehind?: boolean;
}

export const STREAMS = ['pool-a', 'pool-a-audit'] as const;

/** A store written by the store itself, and its files as they lie on the disk. */
export async function makeImage({ folder, lives, closed, markBehind = false }: ImageOptions): Promise<StoreImage> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'log.db');
  const events: RecordedEvent[] = [];
  let before = Buffer.alloc(0);
  for (const [i, life] of lives.entries()) {
    const store = await openEventStore(`sqlite:${path}`);
    for (const [n, count] of life.entries()) {
      if (existsSync(`${path}.mark`)) before = readFileSync(`${path}.mark`);
      await appendTo(store, STREAMS[n % 3 === 2 ? 1 : 0], count, events);
    }
    if (i < lives.length - 1 || closed) await store.close();
    else {
      const files = readImage(path);
      await store.close();
      if (markBehind) files.set('.mark', before);
      return { files, events, acknowledged: events.length - (markBehind ? life.at(-1)! : 0) };
    }
  }
  return { files: readImage(path), events, acknowledged: events.length };
}

async function appendTo(store: EventStore, stream: string, count: number, events: RecordedEvent[]): Promise<void> {
  const before = events.findLast((one) => one.stream === stream)?.revision ?? NO_STREAM;
  const batch = Array.from({ length: count }, (_, n) => event({ n: events.length + n, note: 'x'.repeat(40) }));
  await mustAppend(store, stream, batch, before);
  events.push(...recorded(batch, stream, before + 1));
}

/** The files beside `path` that belong to it, without the lock and the shared memory, which a reboot takes away. */
export function readImage(path: string): Map<string, Buffer> {
  const names = readdirSync(join(path, '..'), { withFileTypes: true });
  const files = new Map<string, Buffer>();
  for (const entry of names) {
    const end = join(path, '..', entry.name).slice(path.length);
    if (entry.isFile() && entry.name.startsWith(basename(path)) && !end.startsWith('.lock') && end !== '-shm')
      files.set(end, readFileSync(`${path}${end}`));
  }
  return files;
}

/** Lays the files down at `path`, whatever lay there before. */
export function layDown(files: ReadonlyMap<string, Uint8Array>, path: string): void {
  for (const end of ['-wal', '-shm', '-journal', '.mark'])
    if (!files.has(end)) rmSync(`${path}${end}`, { force: true });
  rmSync(`${path}-shm`, { force: true });
  for (const [end, bytes] of files) writeFileSync(`${path}${end}`, bytes);
}
