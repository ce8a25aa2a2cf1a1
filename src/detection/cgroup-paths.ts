import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readOptional } from './files.ts';

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

/** The group's path in the hierarchy that carries the controller; version 2 is the line "0::/path". */
function groupPath(cgroupText: string, controller: Controller, version: 1 | 2): string | undefined {
  for (const line of cgroupText.split('\n')) {
    const [, id, controllers, path] = /^([0-9]+):([^:]*):(.*)$/.exec(line) ?? [];
    const matches = version === 2 ? id === '0' && controllers === '' : controllers?.split(',').includes(controller);
    if (matches) return path;
  }
  return undefined;
}

/** The path below the mount; '' if the group lies outside of what is mounted, and then the mount's root is all we see. */
function belowMount(path: string, mountRoot: string): string {
  if (path === mountRoot || path.startsWith('/..')) return '';
  if (mountRoot === '/') return path.slice(1);
  return path.startsWith(`${mountRoot}/`) ? path.slice(mountRoot.length + 1) : '';
}

function levels(base: string, relative: string): string[] {
  const dirs = [base];
  for (const part of relative.split('/').filter((name) => name !== '')) {
    const next = join(dirs.at(-1)!, part);
    if (!existsSync(next)) break;
    dirs.push(next);
  }
  return dirs;
}

/** The hierarchy that carries `controller`; on a mixed system a controller of version 1 is not in version 2. */
export function findHierarchy(root: string, controller: Controller): Hierarchy | undefined {
  const cgroupText = readOptional(join(root, 'proc/self/cgroup'));
  const mountText = readOptional(join(root, 'proc/self/mountinfo'));
  if (cgroupText === undefined || mountText === undefined) return undefined;
  const mounts = mountText.split('\n').flatMap(parseMount);
  const mount =
    mounts.find((each) => each.version === 1 && each.options.includes(controller)) ??
    mounts.find((each) => each.version === 2);
  const path = mount && groupPath(cgroupText, controller, mount.version);
  if (mount === undefined || path === undefined) return undefined;
  return {
    version: mount.version,
    dirs: levels(join(root, mount.mountPoint), belowMount(path, mount.root)),
  };
}
