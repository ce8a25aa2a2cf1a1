import { join } from 'node:path';
import { findHierarchies, type Hierarchy } from './cgroup-paths.ts';
import { countOf, isThere, MalformedFile, parseCount, readIfThere, readText } from './files.ts';

/** A cgroup that limits what its members may use. */
export interface LimitedGroup {
  readonly version: 1 | 2;
  readonly dir: string;
  /** Bytes of memory, or millicores. */
  readonly limit: number;
  /** Where the group's cpu time is counted. */
  readonly cpuTimePath?: string;
}

/** The tightest limit; among equals the outermost, because all that run under it share it. */
export const tightest = (groups: readonly LimitedGroup[]): LimitedGroup | undefined =>
  groups.reduce<LimitedGroup | undefined>((best, each) => (best && best.limit <= each.limit ? best : each), undefined);

type LimitOf = (dir: string, version: 1 | 2) => number | undefined;

function limitsOf({ version, dirs }: Hierarchy, limitOf: LimitOf): LimitedGroup[] {
  return dirs.flatMap((dir) => {
    const limit = limitOf(dir, version);
    return limit === undefined ? [] : [{ version, dir, limit }];
  });
}

/**
 * The memory limits that hold for this process, from the mounts' roots down; all hold, so the tightest counts. Bytes; `memory.high`
 * counts as a limit because a group above it is throttled; swap counts as nothing. Where a file is not there, or says "max", there
 * is no limit. Throws what cannot be read, or not be understood: then a limit may stand.
 */
export const readMemoryLimits = (root: string): LimitedGroup[] =>
  findHierarchies(root, 'memory').flatMap((hierarchy) =>
    limitsOf(hierarchy, (dir, version) =>
      version === 1
        ? lower(bytesLimit(join(dir, 'memory.limit_in_bytes')), inheritedLimit(join(dir, 'memory.stat')))
        : lower(bytesLimit(join(dir, 'memory.max')), bytesLimit(join(dir, 'memory.high'))),
    ),
  );

/** Version 1 tells each group the tightest limit above it, also of groups that the mount does not show. */
function inheritedLimit(path: string): number | undefined {
  const bytes = countOf(path, readIfThere(path) ?? '', 'hierarchical_memory_limit');
  return bytes === undefined || bytes > Number.MAX_SAFE_INTEGER ? undefined : bytes;
}

const lower = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;

/** Version 1 says "unlimited" as a number near 2^63, version 2 as "max". */
function bytesLimit(path: string): number | undefined {
  const text = readIfThere(path);
  if (text === undefined || text.trim() === 'max') return undefined;
  const bytes = parseCount(path, text);
  return bytes > Number.MAX_SAFE_INTEGER ? undefined : bytes;
}

function cpuLimitsOf(root: string, controller: 'cpu' | 'cpuset', limitOf: LimitOf): LimitedGroup[] {
  return findHierarchies(root, controller).flatMap((hierarchy) =>
    limitsOf(hierarchy, limitOf).map((group) => {
      const cpuTimePath = findCpuTime(root, hierarchy, group.dir);
      return cpuTimePath === undefined ? group : { ...group, cpuTimePath };
    }),
  );
}

/** Version 1 may count cpu time in another hierarchy (cpuacct), under the same path below its mount. */
function findCpuTime(root: string, hierarchy: Hierarchy, dir: string): string | undefined {
  const below = dir.slice(hierarchy.dirs[0]!.length);
  const accounting = hierarchy.version === 1 ? findHierarchies(root, 'cpuacct')[0]?.dirs[0] : undefined;
  const path = hierarchy.version === 2 ? join(dir, 'cpu.stat') : join(accounting ?? dir, below, 'cpuacct.usage');
  return isThere(path) ? path : undefined;
}

/** The limits on cpu, by quota and by cpuset, in millicores. Throws what cannot be read, or not be understood. */
export const readCpuLimits = (root: string): LimitedGroup[] => [...quotaLimits(root), ...cpusetLimits(root)];

const quotaLimits = (root: string): LimitedGroup[] =>
  cpuLimitsOf(root, 'cpu', (dir, version) => (version === 1 ? quotaV1(dir) : quotaV2(dir)));

function quotaV2(dir: string): number | undefined {
  const path = join(dir, 'cpu.max');
  const text = readIfThere(path);
  if (text === undefined) return undefined;
  const [quota = '', period = ''] = text.trim().split(' ');
  return quota === 'max' ? undefined : millicores(path, text, quota, period);
}

function quotaV1(dir: string): number | undefined {
  const path = join(dir, 'cpu.cfs_quota_us');
  const quota = readIfThere(path)?.trim();
  if (quota === undefined || quota === '-1') return undefined;
  return millicores(path, quota, quota, readText(join(dir, 'cpu.cfs_period_us')).trim());
}

/** Quota / period, rounded down to whole millicores but not to none. */
function millicores(path: string, text: string, quota: string, period: string): number {
  const [quotaUs, periodUs] = [quota, period].map((part) => (/^[1-9][0-9]{0,14}$/.test(part) ? Number(part) : NaN));
  const cores = quotaUs! / periodUs!;
  if (!(cores > 0)) throw new MalformedFile(path, text, 'a quota and a period in microseconds, above 0');
  return Math.max(1, Math.floor(cores * 1000));
}

const cpusetLimits = (root: string): LimitedGroup[] =>
  cpuLimitsOf(root, 'cpuset', (dir, version) => {
    const names = version === 1 ? ['cpuset.effective_cpus', 'cpuset.cpus'] : ['cpuset.cpus.effective', 'cpuset.cpus'];
    const count = names.map((name) => cpuListLength(join(dir, name))).find((each) => each !== undefined);
    return count === undefined ? undefined : count * 1000;
  });

/** How many cpus a list such as "0-3,8" names (cpuset(7), "List format"). */
function cpuListLength(path: string): number | undefined {
  const text = readIfThere(path)?.trim();
  // Of a group that has not been given cpus of its own this one is empty; what is effective never is.
  if (text === undefined || (text === '' && path.endsWith('cpuset.cpus'))) return undefined;
  let count = 0;
  for (const range of text.split(',')) {
    const match = /^([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(range);
    const width = match ? Number(match[2] ?? match[1]) - Number(match[1]) + 1 : 0;
    if (width < 1) throw new MalformedFile(path, text, 'a list of cpus such as 0-3,8');
    count += width;
  }
  return count;
}

/**
 * Bytes the group holds and cannot give back at once: usage less inactive page cache, the "working set" by which the
 * kubelet judges containers.
 */
export function readMemoryUsed(group: LimitedGroup): number {
  const [usageName, cacheKey] =
    group.version === 1 ? ['memory.usage_in_bytes', 'total_inactive_file'] : ['memory.current', 'inactive_file'];
  const usagePath = join(group.dir, usageName);
  const statPath = join(group.dir, 'memory.stat');
  const used = parseCount(usagePath, readText(usagePath));
  const cache = countOf(statPath, readIfThere(statPath) ?? '', cacheKey) ?? 0;
  return Math.max(0, used - cache);
}

/** Cpu time that the group has used since it was made, in microseconds. Throws when it is not counted. */
export function readCpuTimeUs(group: LimitedGroup): number {
  const path = group.cpuTimePath;
  if (path === undefined) throw new Error(`${group.dir} does not count cpu time`);
  const text = readText(path);
  if (group.version === 1) return parseCount(path, text) / 1000;
  const usageUs = countOf(path, text, 'usage_usec');
  if (usageUs === undefined) throw new MalformedFile(path, text, 'a file with usage_usec');
  return usageUs;
}
