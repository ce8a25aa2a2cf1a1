import { join } from 'node:path';
import { isThere, MalformedFile, readIfThere } from './files.ts';

/**
 * Where this process stands in the cgroup hierarchies (cgroups(7), Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
 *
 * `/proc/self/cgroup` gives the path of the group, `/proc/self/mountinfo` (proc(5)) which part of the hierarchy is mounted
 * where: in a container the mount often shows only the container's own part.
 */
export type Controller = 'memory' | 'cpu' | 'cpuset' | 'cpuacct';

export interface Hierarchy {
  readonly version: 1 | 2;
  /** Directories from the mount's root down to the process' own group; a limit in any of them holds. */
  readonly dirs: readonly string[];
}

interface Mount {
  readonly version: 1 | 2;
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
}

/** Octal escapes stand for space, tab, newline and backslash in mountinfo. */
const decodeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

function parseMount(line: string): Mount[] {
  const [left, right] = line.split(' - ');
  const [, , , root, mountPoint] = (left ?? '').split(' ');
  const [type, , options] = (right ?? '').split(' ');
  if (root === undefined || mountPoint === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
  return [
    {
      version: type === 'cgroup' ? 1 : 2,
      root: decodeOctal(root),
      mountPoint: decodeOctal(mountPoint),
      options: (options ?? '').split(','),
    },
  ];
}

/** The line of `/proc/self/cgroup` that tells of a controller: "4:memory:/path", and for version 2 "0::/path". */
interface Membership {
  readonly version: 1 | 2;
  readonly path: string;
}

/** A controller that stands in a line of version 1 is not in version 2. Undefined = no hierarchy has it. */
function membershipOf(cgroupText: string, controller: Controller): Membership | undefined {
  let unified: Membership | undefined;
  for (const line of cgroupText.split('\n')) {
    const [, id, controllers, path] = /^([0-9]+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers!.split(',').includes(controller)) return { version: 1, path };
    if (id === '0' && controllers === '') unified = { version: 2, path };
  }
  return unified;
}

/** A root above that of the cgroup namespace ("/..", "/../.."): all of us lies below it, under names that are hidden. */
const isAbove = (mountRoot: string): boolean => /^(\/\.\.)+$/.test(mountRoot);

/** The path below the mount; undefined if the mount shows a part of the hierarchy in which the group is not. */
function belowMount(path: string, mountRoot: string): string | undefined {
  if (path === mountRoot || isAbove(mountRoot)) return '';
  if (path.startsWith('/..')) return undefined;
  if (mountRoot === '/') return path.slice(1);
  return path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length + 1) : undefined;
}

function levels(base: string, relative: string): string[] {
  const dirs = [base];
  for (const part of relative.split('/').filter((name) => name !== '')) {
    const next = join(dirs.at(-1)!, part);
    if (!isThere(next)) break;
    dirs.push(next);
  }
  return dirs;
}

/** What is mounted over another mount hides it. */
function visibleMounts(mountText: string): Mount[] {
  const mounts = mountText.split('\n').flatMap(parseMount);
  return [...new Map(mounts.map((mount) => [mount.mountPoint, mount])).values()];
}

/**
 * The hierarchies that carry `controller`, as far as this process can see them: the same one may be mounted several times, each
 * time from another root, and each shows other limits of the path. Where no mount has the group in it, the mounts' roots are all
 * we see. None where the kernel has none or was started without this controller, or the process stands at the root of one that is not mounted. Throws where a limit may
 * stand that cannot be seen: a file that cannot be read, or a group in a hierarchy that is mounted nowhere.
 */
export function findHierarchies(root: string, controller: Controller): readonly Hierarchy[] {
  const cgroupText = readIfThere(join(root, 'proc/self/cgroup'));
  const mountText = readIfThere(join(root, 'proc/self/mountinfo'));
  if (cgroupText === undefined || mountText === undefined) return [];
  const member = membershipOf(cgroupText, controller);
  const visible = visibleMounts(mountText);
  if (member === undefined) {
    if (visible.length > 0) mustBeList(root, cgroupText);
    return [];
  }
  const { version, path } = member;
  const mounts = visible.filter(
    (mount) => mount.version === version && (version === 2 || mount.options.includes(controller)),
  );
  if (mounts.length === 0 && isDisabled(root, controller)) return [];
  if (mounts.length === 0 && path !== '/')
    throw new Error(
      `the cgroup ${path} limits ${controller}, and its hierarchy is mounted nowhere: its limits are unknown`,
    );
  const seen = mounts.map((mount) => ({ mount, below: belowMount(path, mount.root) }));
  const within = seen.filter(({ below }) => below !== undefined);
  return (within.length > 0 ? within : seen).map(({ mount, below = '' }) => ({
    version,
    dirs: levels(join(root, mount.mountPoint), below),
  }));
}

/** The kernel was started without this controller (`cgroup_disable=memory`): a last column of 0 in `/proc/cgroups` (cgroups(7)). */
const isDisabled = (root: string, controller: Controller): boolean =>
  (readIfThere(join(root, 'proc/cgroups')) ?? '')
    .split('\n')
    .some((line) => line.startsWith(`${controller}\t`) && line.split('\t')[3]?.trim() === '0');

/** Where hierarchies are mounted, a text without a single line of the format is a partial or odd read. */
function mustBeList(root: string, cgroupText: string): void {
  if (/^[0-9]+:[^:]*:\//m.test(cgroupText)) return;
  throw new MalformedFile(join(root, 'proc/self/cgroup'), cgroupText, 'a list of cgroups such as 0::/path');
}
