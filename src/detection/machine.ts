import { type LimitedGroup, readCpuLimits, readMemoryLimits } from './cgroup.ts';
import { cpuSource } from './cpu-source.ts';
import { nearestExisting, readDisk } from './host.ts';
import type { Reading } from './last-good.ts';
import { memorySource } from './memory-source.ts';
import { findNetworkLinks, readNetworkBytes } from './network.ts';
import { findPressureFiles, type Pressure, readPressure } from './pressure.ts';
import { RateMeter } from './rate.ts';
import { type RefinedFacts, refineFacts } from './refine.ts';
import { cached, type Source } from './source.ts';

export interface MachineLook {
  readonly readings: Readonly<Record<string, Reading>>;
  readonly containerLimited: boolean;
  readonly pressure: Pressure;
}

export interface Machine {
  /** `atMs` is monotonic. Never throws: a dimension that cannot be read is an Error among the readings. */
  look(atMs: number): MachineLook;
  /** Learns what takes processes to find out. */
  refine(): Promise<void>;
}

export interface MachineOptions {
  /** Where proc, sys and etc lie. */
  readonly root: string;
  /** The folder whose file system is the disk. */
  readonly dataDir: string;
  /** How often totals, limits and links are looked up again; usage is read at every look. */
  readonly limitsIntervalMs: number;
}

/** This machine, as far as this process may use it. */
export function openMachine({ root, dataDir, limitsIntervalMs }: MachineOptions): Machine {
  let facts: RefinedFacts = { gpus: 0, networkBitsPerSecond: 0 };
  let unrefined: unknown;
  const sources: readonly (readonly [string, Source])[] = [
    [
      'memory',
      memorySource(
        root,
        cached(limitsIntervalMs, () => readMemoryLimits(root)),
      ),
    ],
    [
      'cpu',
      cpuSource(
        root,
        cached(limitsIntervalMs, () => readCpuLimits(root)),
      ),
    ],
    ['disk', diskSource(dataDir)],
    ['network', networkSource(root, limitsIntervalMs, () => facts.networkBitsPerSecond)],
    ['gpu', () => gpuLook(facts, unrefined)],
  ];
  const limits = new Map<string, LimitedGroup>();
  const pressureAt = pressureReader(root, limitsIntervalMs);
  return {
    look: (atMs) => {
      const readings = readAll(sources, limits, atMs);
      const [limit] = limits.values();
      return { readings, containerLimited: limit !== undefined, pressure: pressureAt(limit, atMs) };
    },
    refine: async () => {
      try {
        facts = await refineFacts(root);
      } catch (error) {
        unrefined = error;
        throw error;
      }
    },
  };
}

/** `limits`: what limits each dimension, as last seen: a look that fails leaves it as it was. */
function readAll(sources: readonly (readonly [string, Source])[], limits: Map<string, LimitedGroup>, atMs: number) {
  const readings: Record<string, Reading> = {};
  for (const [dimension, source] of sources) {
    try {
      const look = source(atMs);
      if (look !== undefined) readings[dimension] = look.use;
      if (look?.limitedBy === undefined) limits.delete(dimension);
      else limits.set(dimension, look.limitedBy);
    } catch (error) {
      readings[dimension] = error instanceof Error ? error : new Error(String(error));
    }
  }
  return readings;
}

/** A machine whose gpus could not be counted has none to grant, and says so. */
function gpuLook({ gpus }: RefinedFacts, unrefined: unknown) {
  if (unrefined !== undefined) throw unrefined;
  return idle(gpus * 1000);
}

/** Of what is counted but not metered, all is available: only leases use it. */
const idle = (total: number) => (total > 0 ? { use: { total, used: 0, available: total } } : undefined);

function diskSource(dataDir: string): Source {
  return () => {
    const { totalBytes, usedBytes, availableBytes } = readDisk(nearestExisting(dataDir));
    return { use: { total: totalBytes, used: usedBytes, available: availableBytes } };
  };
}

const NETWORK_WINDOW_MS = 200;

function networkSource(root: string, limitsIntervalMs: number, refinedBitsPerSecond: () => number): Source {
  const linksAt = cached(limitsIntervalMs, () => findNetworkLinks(root));
  let meter: RateMeter | undefined;
  return (atMs) => {
    const links = linksAt(atMs);
    if (links === undefined) return idle(refinedBitsPerSecond());
    const bytes = readNetworkBytes(links);
    meter ??= new RateMeter(bytes, atMs, NETWORK_WINDOW_MS);
    const total = links.bitsPerSecond;
    const used = Math.min(total, Math.round((meter.update(bytes, atMs) ?? 0) * 8000));
    return { use: { total, used, available: total - used } };
  };
}

function pressureReader(root: string, limitsIntervalMs: number) {
  let limitedBy: LimitedGroup | undefined;
  const filesAt = cached(limitsIntervalMs, () => findPressureFiles(root, limitedBy?.dir));
  return (limit: LimitedGroup | undefined, atMs: number): Pressure => {
    limitedBy = limit;
    return readPressure(filesAt(atMs));
  };
}
