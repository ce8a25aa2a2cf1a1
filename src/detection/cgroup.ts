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

function withCpuTime(root: string, hierarchy: Hierarchy, groups: readonly LimitedGroup[]): LimitedGroup[] {
  return groups.map((group) => {
    const cpuTimePath = findCpuTime(root, hierarchy, group.dir);
    return cpuTimePath === undefined ? group : { ...group, cpuTimePath };
  });
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
  findHierarchies(root, 'cpu').flatMap((hierarchy) =>
    withCpuTime(
      root,
      hierarchy,
      limitsOf(hierarchy, (dir, version) => (version === 1 ? quotaV1(dir) : quotaV2(dir))),
    ),
  );

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
  findHierarchies(root, 'cpuset').flatMap((hierarchy) => withCpuTime(root, hierarchy, cpusetLimit(hierarchy)));

/**
 * The cpus that this process may run on, as the nearest group says that says it: the kernel has worked into it what its parents leave.
 * A parent's own set may be smaller than that, even empty, when a partition below has taken cpus out of it (cgroup-v2.rst,
 * "cpuset.cpus.partition"). Named is the outermost group with the same set, because all that run under it share it.
 */
function cpusetLimit({ version, dirs }: Hierarchy): LimitedGroup[] {
  let limited: LimitedGroup | undefined;
  let stated: string | undefined;
  for (const dir of dirs.toReversed()) {
    const set = cpusOf(dir, version);
    if (set === undefined) continue;
    if (stated !== undefined && set.cpus !== stated) break;
    stated ??= set.cpus;
    limited = { version, dir, limit: limited?.limit ?? countCpus(set.path, set.cpus) * 1000 };
  }
  return limited === undefined ? [] : [limited];
}

/** What a group says of its cpus. One that has not been given cpus of its own says so by an empty list, and follows its parent. */
function cpusOf(dir: string, version: 1 | 2): { readonly path: string; readonly cpus: string } | undefined {
  const effective = join(dir, version === 1 ? 'cpuset.effective_cpus' : 'cpuset.cpus.effective');
  const resolved = readIfThere(effective)?.trim();
  if (resolved !== undefined) return { path: effective, cpus: resolved };
  const own = join(dir, 'cpuset.cpus');
  const cpus = readIfThere(own)?.trim();
  return cpus === undefined || cpus === '' ? undefined : { path: own, cpus };
}

/** How many cpus a list such as "0-3,8" names (cpuset(7), "List format"). */
function countCpus(path: string, list: string): number {
  let count = 0;
  for (const range of list.split(',')) {
    const match = /^([0-9]{1,6})(?:-([0-9]{1,6}))?$/.exec(range);
    const width = match ? Number(match[2] ?? match[1]) - Number(match[1]) + 1 : 0;
    if (width < 1) throw new MalformedFile(path, list, 'a list of cpus such as 0-3,8');
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
