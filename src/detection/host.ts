import { createHmac } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { availableParallelism, cpus, freemem, hostname, loadavg, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isAbsence, MalformedFile, readHint, readIfThere } from './files.ts';

/** The machine's totals, from the kernel's files where there are any, else from node:os. */
export interface HostMemory {
  readonly totalBytes: number;
  readonly availableBytes: number;
}

const KIB = 1024;

/**
 * MemAvailable is what can be had without swapping (proc_meminfo(5)); free memory alone would count the page cache as used. What is
 * simulated (lxcfs) may say more of it than there is in all: no more than the total is available. Throws for a total of 0.
 */
export function readHostMemory(root: string): HostMemory {
  const path = join(root, 'proc/meminfo');
  const text = readIfThere(path);
  if (text === undefined) return { totalBytes: totalmem(), availableBytes: Math.min(totalmem(), freemem()) };
  const total = kibOf(text, 'MemTotal');
  const available = kibOf(text, 'MemAvailable') ?? kibOf(text, 'MemFree');
  if (total === undefined || available === undefined)
    throw new MalformedFile(path, text, 'a meminfo with MemTotal and MemAvailable in kB');
  if (total === 0) throw new MalformedFile(path, text, 'a meminfo with a MemTotal above 0');
  return { totalBytes: total * KIB, availableBytes: Math.min(total, available) * KIB };
}

function kibOf(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}: +([0-9]{1,12}) kB$`, 'm').exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Cpu time since boot, over all cpus, in one unit whose size does not matter. */
export interface HostCpuTime {
  readonly busy: number;
  readonly total: number;
}

/** At least 1. `fallback`: what node:os knows where there is no stat file; some containers hide all cpus from it. */
export function countHostCpus(root: string, fallback = () => cpus().length || availableParallelism()): number {
  const path = join(root, 'proc/stat');
  const text = readIfThere(path);
  const count = text === undefined ? fallback() : (text.match(/^cpu[0-9]+ /gm)?.length ?? 0);
  if (!(count >= 1)) throw new MalformedFile(path, text ?? '', 'a stat file that tells of a cpu');
  return count;
}

/** Idle and iowait are not busy; guest time is contained in user time already (proc_stat(5)). */
export function readHostCpuTime(root: string): HostCpuTime {
  const path = join(root, 'proc/stat');
  const text = readIfThere(path);
  if (text === undefined) return sumCpuTimes();
  const line = text.slice(0, Math.max(0, text.indexOf('\n')));
  const ticks = /^cpu +([0-9]+(?: [0-9]+){3,9})$/.exec(line)?.[1]?.split(' ').slice(0, 8).map(Number);
  if (ticks === undefined) throw new MalformedFile(path, text, 'a stat file that begins with a line of cpu ticks');
  const total = ticks.reduce((sum, each) => sum + each, 0);
  return { busy: total - ticks[3]! - (ticks[4] ?? 0), total };
}

/** The 1-minute load average as a share of all cpus, 0..1: a first estimate, until there is a rate. */
export function readLoadRatio(root: string, hostCpus: number): number {
  const load = Number.parseFloat(readHint(join(root, 'proc/loadavg')) ?? String(loadavg()[0]));
  return load >= 0 ? Math.min(1, load / hostCpus) : 0;
}

function sumCpuTimes(): HostCpuTime {
  let [busy, total] = [0, 0];
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq;
    total += times.user + times.nice + times.sys + times.irq + times.idle;
  }
  return { busy, total };
}

export interface DiskSpace {
  readonly totalBytes: number;
  readonly usedBytes: number;
  readonly availableBytes: number;
}

/** The file system that holds `path`, or will hold it once it is made. `bavail` leaves out what is kept for root. */
export function readDisk(path: string): DiskSpace {
  const { blocks, bfree, bavail, bsize } = statfsSync(path);
  return diskSpace(blocks, bfree, bavail, bsize);
}

/** Network file systems tell of sizes beyond 2^53 bytes, and of more free blocks than they have. */
export function diskSpace(blocks: number, bfree: number, bavail: number, bsize: number): DiskSpace {
  const totalBytes = Math.min(blocks * bsize, Number.MAX_SAFE_INTEGER);
  const within = (bytes: number): number => Math.max(0, Math.min(bytes, totalBytes));
  return { totalBytes, usedBytes: within((blocks - bfree) * bsize), availableBytes: within(bavail * bsize) };
}

/** The folder itself, or the nearest one above it that exists. */
export function nearestExisting(path: string): string {
  const absolute = resolve(path);
  try {
    statfsSync(absolute);
    return absolute;
  } catch (error) {
    if (!isAbsence(error)) throw error;
    return absolute === dirname(absolute) ? absolute : nearestExisting(dirname(absolute));
  }
}

const APPLICATION = 'resource-pool-manager';

/**
 * One id for one machine, the same over restarts and data folders. machine-id(5) asks that the machine's own id be not
 * exposed, so this is its HMAC under the application's name. Without a machine id, the host's name stands in.
 */
export function readHostId(root: string): string {
  const id = ['etc/machine-id', 'var/lib/dbus/machine-id']
    .map((path) => readHint(join(root, path))?.trim())
    .find((text) => text !== undefined && /^[0-9a-f]{32}$/.test(text));
  return createHmac('sha256', APPLICATION)
    .update(id ?? hostname())
    .digest('hex')
    .slice(0, 32);
}
