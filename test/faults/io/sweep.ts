/**
 * Runs under strace, which makes every `step`-th call of one kind fail, counted for each thread by itself: calls that do nothing
 * put the failure at the k-th call of a workload. So one process tries hundreds of cases, each on an untouched store.
 * `once`: that call alone fails. `forever`: it and every later one of its thread, so each case has a thread of its own.
 */
import {
  closeSync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Call, MARKS, MISSED, type Sweep, type Tried } from './cases.ts';
import { runWorkload, WORKLOADS } from './workload.ts';

/** Calls of each kind that change nothing but the count. True if it failed. */
function idleCall(call: Call, folder: string): () => boolean {
  const scratch = openSync(join(folder, 'scratch'), 'w+');
  const byte = Buffer.alloc(1);
  const calls: Record<Call, () => void> = {
    pwrite64: () => {
      if (writeSync(scratch, byte, 0, 1, 0) === 0) throw new Error('a short write');
    },
    fsync: () => fsyncSync(scratch),
    fdatasync: () => fdatasyncSync(scratch),
    openat: () => closeSync(openSync('/dev/null', 'r')),
    ftruncate: () => ftruncateSync(scratch, 0),
    unlink: () => unlinkSync(join(folder, 'nothing')),
  };
  return () => {
    try {
      calls[call]();
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== 'ENOENT';
    }
  };
}

function repeat(count: number, idle: () => boolean): void {
  for (let i = 0; i < count; i++) if (idle()) throw new Error(`${MISSED}: ${i} of ${count}`);
}

/** How many calls there are to the next failure, which is taken. */
function toFailure(idle: () => boolean): number {
  let calls = 1;
  while (!idle()) calls++;
  return calls;
}

async function tryAt(k: number, folder: string, workload: string): Promise<Omit<Tried, 'reached'>> {
  const own = join(folder, `case-${k}`);
  mkdirSync(own);
  return { k, folder: own, outcome: await runWorkload(own, WORKLOADS[workload]!) };
}

async function once({ folder, workload, call, step, from, to }: Sweep): Promise<void> {
  const idle = idleCall(call, folder);
  await warmUp(folder, workload);
  toFailure(idle);
  for (let k = from; k <= to; k++) {
    repeat(step - k, idle);
    const tried = await tryAt(k, folder, workload);
    const made = (((k - toFailure(idle)) % step) + step) % step;
    tell({ ...tried, reached: made >= k });
  }
}

/** Everything is loaded, so that what is counted is the store's own. */
async function warmUp(folder: string, workload: string): Promise<void> {
  mkdirSync(join(folder, 'warm'));
  await runWorkload(join(folder, 'warm'), WORKLOADS[workload]!);
}

async function forever(sweep: Sweep): Promise<void> {
  const { from, to } = sweep;
  const boot = await inThread<number>({ ...sweep, boot: -1, k: 0 });
  for (let k = from; k <= to; k++) tell(await inThread<Tried>({ ...sweep, boot: sweep.step - boot, k }));
}

/** A thread makes none of these calls (all but openat) before it comes to its case. */
async function interrupted(sweep: Sweep): Promise<void> {
  const { from, to } = sweep;
  for (let k = from; k <= to; k++) tell(await inThread<Tried>({ ...sweep, boot: 0, k }));
}

interface ThreadData extends Sweep {
  /** How many calls a thread makes before it comes to its case; -1: find out. */
  readonly boot: number;
  readonly k: number;
}

function inThread<T>(data: ThreadData): Promise<T> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function thread({ folder, workload, call, step, boot, k }: ThreadData): Promise<void> {
  const idle = idleCall(call, folder);
  if (boot < 0) return parentPort!.postMessage(toFailure(idle));
  repeat(step - boot - k, idle);
  const tried = await tryAt(k, folder, workload);
  parentPort!.postMessage({ ...tried, reached: true });
}

/** What the workload does between two calls that a trace shows. */
async function count({ folder, workload }: Sweep): Promise<void> {
  await warmUp(folder, workload);
  const own = join(folder, 'counted');
  mkdirSync(own);
  for (const mark of MARKS) {
    if (mark === MARKS[1]) await runWorkload(own, WORKLOADS[workload]!);
    existsOpen(mark);
  }
}

function existsOpen(path: string): void {
  try {
    closeSync(openSync(path, 'r'));
  } catch {}
}

const tell = (tried: Tried): void => console.log(JSON.stringify(tried));

if (!isMainThread) await thread(workerData as ThreadData);
else if (process.argv[2] !== undefined) {
  const sweep = JSON.parse(process.argv[2]) as Sweep;
  await { once, forever, interrupted, count }[sweep.mode](sweep);
}
