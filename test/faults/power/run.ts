import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openEventStore } from '../../../src/eventstore/open.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { event, readBack } from '../../eventstore/fixture.ts';
import { fastFolder } from '../fast-folder.ts';
import { programPath } from '../launch.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { Disk, type Survival } from './disk.ts';
import type { PowerNote } from './notes.ts';
import { type Op, readTrace, TRACED } from './trace.ts';

const NOTES = 'notes';
const SURVIVALS: readonly (readonly [string, Survival])[] = [
  ['nothing unsynced is left', 'none'],
  ['all of it is left', 'all'],
  ['some writes are left', 'some'],
  ['writes are torn at 512 B', { tornBytes: 512 }],
  ['writes are torn at 4 KiB', { tornBytes: 4096 }],
];

const IMAGES_OF_A_TRACE = 1_000;

/** Cuts the power at random moments of traced runs, and starts from what the disk may hold then. */
export async function powerRun(share: Share): Promise<Counts> {
  const { folder, remove } = fastFolder();
  const tally = new Tally();
  try {
    for (let trace = 0; trace * IMAGES_OF_A_TRACE < share.count; trace++) {
      const images = Math.min(IMAGES_OF_A_TRACE, share.count - trace * IMAGES_OF_A_TRACE);
      if (mine(trace, share)) await cutPower(join(folder, `${trace}`), images, share.seed + trace, tally);
    }
  } finally {
    remove();
  }
  return tally.counts;
}

async function cutPower(folder: string, images: number, seed: number, tally: Tally): Promise<void> {
  const ops = record(folder, seed);
  await cutPowerAt([...ops.keys()], ops, folder, images, seed, tally);
}

/** Cuts at `images` of the moments, which are numbers of operations that were done by then. */
async function cutPowerAt(
  candidates: readonly number[],
  ops: readonly Op[],
  folder: string,
  images: number,
  seed: number,
  tally: Tally,
): Promise<void> {
  const random = randomSource(seed);
  tally.add('traces');
  const moments = Array.from({ length: images }, () => candidates[random() % candidates.length]!).sort((a, b) => a - b); // the disk is built once
  const disk = new Disk();
  const told = new Told();
  let done = 0;
  for (const at of moments) {
    for (; done < at; done++) take(ops[done]!, disk, told);
    const [name, survival] = SURVIVALS[random() % SURVIVALS.length]!;
    const image = join(folder, 'image');
    layDown(image, disk.crash(survival, random));
    await start(image, told).catch((error: unknown) => {
      throw new Error(`seed ${seed}, cut after ${at} of ${ops.length} operations, ${name}: ${error}`, { cause: error });
    });
    tally.add('images');
    tally.add(name);
  }
}

function take(op: Op, disk: Disk, told: Told): void {
  if (op.path !== NOTES) disk.apply(op);
  else if (op.op === 'write') told.take(JSON.parse(op.data.toString()) as PowerNote);
}

function record(folder: string, seed: number): Op[] {
  mkdirSync(folder);
  return traced(folder, [programPath('power-worker'), folder, `${seed}`], 0);
}

/** What a program does in the folder. `ends`: how it is to end; null = killed. `fault`: what fails, as strace says it. */
function traced(folder: string, program: readonly string[], ends: number | null, fault?: string): Op[] {
  const trace = `${folder}.trace`;
  const args = ['-f', '--seccomp-bpf', '-qq', '-y', '-xx', '-s', '99999999', '-o', trace, '-e', `trace=${TRACED}`];
  const inject = fault === undefined ? [] : ['-e', `inject=${fault}`];
  const { status, stderr } = spawnSync('strace', [...args, ...inject, process.execPath, ...program]);
  if (status !== ends) throw new Error(`the traced run ended with ${status}: ${stderr}`);
  const ops = readTrace(readFileSync(trace, 'latin1'), folder);
  rmSync(trace);
  return ops;
}

/** Syncs that the store makes until it has been opened; what fails after them is an append. */
const LAST_FAILING = 12;

/**
 * A sync fails, and the process is killed before it can do anything about it; the next one goes on with what it finds; then the power
 * is cut. All that the second one showed and acknowledged must be there, though the kernel held for clean what the first had written.
 */
export async function failedSyncRun(share: Share): Promise<Counts> {
  const worker = programPath('power-killed-worker');
  const { folder, remove } = fastFolder();
  const tally = new Tally();
  try {
    for (let failing = 1; failing <= LAST_FAILING; failing++) {
      if (!mine(failing, share)) continue;
      const own = join(folder, `${failing}`);
      mkdirSync(own);
      const first = traced(own, [worker, own], null, `fsync,fdatasync:error=EIO:when=${failing}`);
      if (!first.some(({ op, path }) => op === 'failed sync' && path === 'log.db-wal')) continue;
      const ops = [...first, ...traced(own, [worker, own], null)];
      const [disk, told] = [new Disk(), new Told()];
      for (const op of ops) take(op, disk, told);
      const image = join(own, 'image');
      layDown(
        image,
        disk.crash('none', () => 0),
      );
      await start(image, told);
      tally.add('failed syncs of the WAL');
    }
  } finally {
    remove();
  }
  return tally.counts;
}

/** How far the large batch gets, of its writes to the write-ahead log. */
const UNFINISHED = [0.5, 0.75, 0.98];

/**
 * A large batch finds no room before its end, and smaller ones are written over what it left; then the power is cut before a sync. Stale frames of
 * the large one, which nobody was promised, lie behind whatever is left of the last small one, and must keep no start from being served.
 */
export async function staleFramesRun(share: Share): Promise<Counts> {
  const worker = programPath('power-stale-worker');
  const { folder, remove } = fastFolder();
  const tally = new Tally();
  try {
    const run = (name: string, fault?: string) => {
      mkdirSync(join(folder, name));
      return traced(join(folder, name), [worker, join(folder, name)], 0, fault);
    };
    const writes = writesOfLargest(run('whole'));
    for (const [i, part] of UNFINISHED.entries()) {
      if (!mine(i, share)) continue;
      const failing = writes[Math.floor(writes.length * part)]!;
      const ops = run(`${i}`, `pwrite64:error=ENOSPC:when=${failing}`);
      if (writesOfLargest(ops).length >= writes.length) throw new Error('the large batch was finished');
      const beforeSyncs = [...ops.keys()].filter((at) => ops[at]!.op === 'sync' && ops[at]!.path === 'log.db-wal');
      await cutPowerAt(
        beforeSyncs,
        ops,
        join(folder, `${i}`),
        Math.ceil(share.count / UNFINISHED.length),
        share.seed + i,
        tally,
      );
    }
  } finally {
    remove();
  }
  return tally.counts;
}

/** Of all writes at an offset, counted from 1, those to the write-ahead log by the largest batch. */
function writesOfLargest(ops: readonly Op[]): number[] {
  const batches: { readonly events: number; readonly writes: number[] }[] = [];
  let number = 0;
  for (const op of ops) {
    if (op.op !== 'write') continue;
    if (op.offset !== null) number += 1;
    if (op.path === NOTES) {
      const note = JSON.parse(op.data.toString()) as PowerNote;
      if (note.did === 'try') batches.push({ events: note.ids.length, writes: [] });
    } else if (op.path === 'log.db-wal') batches.at(-1)?.writes.push(number);
  }
  return batches.reduce((largest, batch) => (batch.events > largest.events ? batch : largest)).writes;
}

/** What was noted so far: all of it must have survived. */
class Told {
  readonly acknowledged = new Map<string, string[]>();
  tried: { readonly stream: string; readonly ids: readonly string[] } | undefined;
  snapshot = -1;

  take(note: PowerNote): void {
    if (note.did === 'snapshot') this.snapshot = note.revision;
    else if (note.did === 'try') this.tried = note;
    else if (note.did === 'found') {
      this.acknowledged.set(note.stream, [...note.ids]); // shown to whoever reads
      this.tried = undefined;
    } else {
      this.acknowledged.set(note.stream, [...(this.acknowledged.get(note.stream) ?? []), ...note.ids]);
      this.tried = undefined;
    }
  }
}

function layDown(folder: string, files: ReadonlyMap<string, Buffer>): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [path, bytes] of files) {
    if (path.endsWith('-shm') || path.includes('.lock')) continue; // made anew by whoever opens it first
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}

/** It opens, holds all that was acknowledged, and perhaps all of what was tried; the saved snapshot is whole; it accepts. */
async function start(folder: string, told: Told): Promise<void> {
  const store = await openEventStore(`sqlite:${join(folder, 'log.db')}`);
  try {
    for (const stream of new Set([...told.acknowledged.keys(), told.tried?.stream ?? 'pool-a'])) {
      await mustHold(store, stream, told);
    }
    const snapshot = await store.snapshots.load('pool-a');
    if ((snapshot?.revision ?? -1) < told.snapshot) throw new Error(`the snapshot of ${told.snapshot} is lost`);
  } finally {
    await store.close();
  }
}

async function mustHold(store: EventStore, stream: string, { acknowledged, tried }: Told): Promise<void> {
  const known = acknowledged.get(stream) ?? [];
  const read = (await readBack(store, stream)).map(({ id }) => id);
  const allowed = [known, [...known, ...(tried?.stream === stream ? tried.ids : [])]].map((ids) => ids.join());
  if (!allowed.includes(read.join()))
    throw new Error(`${stream}: ${read.length} events, ${known.length} were acknowledged`);
  const again = await store.append(stream, [event('after')], read.length - 1);
  if (again.outcome !== 'appended') throw new Error(`an append after it is answered ${JSON.stringify(again)}`);
}
