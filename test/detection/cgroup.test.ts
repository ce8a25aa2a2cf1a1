import { describe, expect, test } from 'vitest';
import {
  readCpuLimits,
  readCpuTimeUs,
  readMemoryLimits,
  readMemoryUsed,
  tightest,
} from '../../src/detection/cgroup.ts';
import { GIB, tree, V1_DOCKER, v2 } from './fixture.ts';

const limitOf = (groups: ReturnType<typeof readMemoryLimits>) => tightest(groups)?.limit;

describe('cgroup v2', () => {
  test('the tightest limit from the mount down to the own group holds', () => {
    const root = tree(v2('/pods/one/main'), {
      'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
      'sys/fs/cgroup/pods/memory.max': `${8 * GIB}\n`,
      'sys/fs/cgroup/pods/cpu.max': '400000 100000\n',
      'sys/fs/cgroup/pods/one/memory.max': `${2 * GIB}\n`,
      'sys/fs/cgroup/pods/one/cpu.max': '150000 100000\n',
      'sys/fs/cgroup/pods/one/main/memory.max': `${4 * GIB}\n`,
      'sys/fs/cgroup/pods/one/main/cpu.max': 'max 100000\n',
    });
    expect(limitOf(readMemoryLimits(root))).toBe(2 * GIB);
    expect(limitOf(readCpuLimits(root))).toBe(1500);
  });

  test('"max" is no limit', () => {
    const root = tree(v2('/a'), {
      'sys/fs/cgroup/a/memory.max': 'max\n',
      'sys/fs/cgroup/a/memory.high': 'max\n',
      'sys/fs/cgroup/a/cpu.max': 'max 100000\n',
    });
    expect(readMemoryLimits(root)).toEqual([]);
    expect(readCpuLimits(root)).toEqual([]);
  });

  test('memory.high below memory.max is the limit, because above it the group is throttled', () => {
    const root = tree(v2('/a'), {
      'sys/fs/cgroup/a/memory.max': `${4 * GIB}`,
      'sys/fs/cgroup/a/memory.high': `${3 * GIB}`,
    });
    expect(limitOf(readMemoryLimits(root))).toBe(3 * GIB);
  });

  test('a cpuset limits as a quota does', () => {
    const root = tree(v2('/a'), {
      'sys/fs/cgroup/a/cpu.max': '800000 100000',
      'sys/fs/cgroup/a/cpuset.cpus.effective': '0-1,4\n',
    });
    expect(limitOf(readCpuLimits(root))).toBe(3000);
  });

  test('a partition has the cpus that it took out of its parents', () => {
    const root = tree(v2('/part'), {
      'sys/fs/cgroup/cpuset.cpus.effective': '0-1\n',
      'sys/fs/cgroup/part/cpuset.cpus.effective': '2-7\n',
    });
    expect(limitOf(readCpuLimits(root))).toBe(6000);
  });

  test('below a partition that gave all of its cpus away the group itself says what it has', () => {
    const root = tree(v2('/part/inner'), {
      'sys/fs/cgroup/cpuset.cpus.effective': '0-1\n',
      'sys/fs/cgroup/part/cpuset.cpus.effective': '\n',
      'sys/fs/cgroup/part/inner/cpuset.cpus.effective': '2-7\n',
    });
    expect(limitOf(readCpuLimits(root))).toBe(6000);
  });

  test('a group without the cpuset controller runs on the cpus of the nearest that has it, shared by all with that set', () => {
    const root = tree(v2('/pods/one/main'), {
      'sys/fs/cgroup/cpuset.cpus.effective': '0-7\n',
      'sys/fs/cgroup/pods/cpuset.cpus.effective': '0-2\n',
      'sys/fs/cgroup/pods/cpu.stat': 'usage_usec 5\n',
      'sys/fs/cgroup/pods/one/cpuset.cpus.effective': '0-2\n',
      'sys/fs/cgroup/pods/one/cpu.stat': 'usage_usec 3\n',
      'sys/fs/cgroup/pods/one/main/cpu.stat': 'usage_usec 1\n',
    });
    const group = tightest(readCpuLimits(root))!;
    expect([group.limit, readCpuTimeUs(group)]).toEqual([3000, 5]);
  });

  test('a group outside of what is mounted falls back to the root of the mount', () => {
    const root = tree(v2('/../../elsewhere'), { 'sys/fs/cgroup/memory.max': `${GIB}` });
    expect(limitOf(readMemoryLimits(root))).toBe(GIB);
  });

  test('a mount point with a space in its name is found', () => {
    const root = tree({
      'proc/self/cgroup': '0::/\n',
      'proc/self/mountinfo': '30 23 0:26 / /mnt/c\\040groups rw - cgroup2 cgroup2 rw\n',
      'mnt/c groups/memory.max': `${GIB}`,
    });
    expect(limitOf(readMemoryLimits(root))).toBe(GIB);
  });

  test('used memory leaves out inactive page cache, and cpu time is in microseconds', () => {
    const root = tree(v2('/a'), {
      'sys/fs/cgroup/a/memory.max': `${GIB}`,
      'sys/fs/cgroup/a/memory.current': '5000\n',
      'sys/fs/cgroup/a/memory.stat': 'anon 1\ninactive_file 2000\nactive_file 7\n',
      'sys/fs/cgroup/a/cpu.max': '100000 100000',
      'sys/fs/cgroup/a/cpu.stat': 'usage_usec 1234\nuser_usec 1000\n',
    });
    expect(readMemoryUsed(readMemoryLimits(root)[0]!)).toBe(3000);
    expect(readCpuTimeUs(readCpuLimits(root)[0]!)).toBe(1234);
  });
});

describe('cgroup v1', () => {
  test("limits are read below the mount, although the path is the host's", () => {
    const root = tree(V1_DOCKER, {
      'sys/fs/cgroup/memory/memory.limit_in_bytes': `${GIB}\n`,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '9000\n',
      'sys/fs/cgroup/memory/memory.stat': 'inactive_file 1\ntotal_inactive_file 4000\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '250000\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/cpu,cpuacct/cpuacct.usage': '5000000\n',
      'sys/fs/cgroup/cpuset/cpuset.cpus': '0-3\n',
    });
    expect(limitOf(readMemoryLimits(root))).toBe(GIB);
    expect(readMemoryUsed(readMemoryLimits(root)[0]!)).toBe(5000);
    expect(limitOf(readCpuLimits(root))).toBe(2500);
    expect(readCpuTimeUs(tightest(readCpuLimits(root))!)).toBe(5000);
  });

  test('a cpuset of its own hierarchy finds its cpu time under the same path in cpuacct', () => {
    const root = tree({
      'proc/self/cgroup': '3:cpuset:/x/y\n2:cpuacct:/x/y\n',
      'proc/self/mountinfo':
        '34 31 0:31 / /c/cpuset rw - cgroup cgroup rw,cpuset\n32 31 0:29 / /c/acct rw - cgroup cgroup rw,cpuacct\n',
      'c/cpuset/x/y/cpuset.effective_cpus': '2\n',
      'c/acct/x/y/cpuacct.usage': '7000\n',
    });
    const group = readCpuLimits(root)[0]!;
    expect([group.limit, readCpuTimeUs(group)]).toEqual([1000, 7]);
  });

  test('a number near 2^63 and a quota of -1 are no limits', () => {
    const root = tree(V1_DOCKER, {
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
    });
    expect(readMemoryLimits(root)).toEqual([]);
    expect(readCpuLimits(root)).toEqual([]);
  });

  test('on a mixed system the controller of version 1 counts, not the empty unified tree', () => {
    const root = tree({
      'proc/self/cgroup': '4:memory:/api/x\n0::/\n',
      'proc/self/mountinfo':
        '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n',
      'sys/fs/cgroup/unified/memory.max': '1\n',
      'sys/fs/cgroup/memory/api/memory.limit_in_bytes': `${2 * GIB}`,
      'sys/fs/cgroup/memory/api/x/memory.limit_in_bytes': `${4 * GIB}`,
    });
    expect(limitOf(readMemoryLimits(root))).toBe(2 * GIB);
  });
});

test('without cgroups there is no limit', () => {
  expect(readMemoryLimits(tree())).toEqual([]);
  expect(readCpuLimits(tree())).toEqual([]);
});

test.each([
  ['memory.max', 'lots\n', /memory.max: "lots\\n" is not a non-negative whole number/],
  ['memory.max', '-5\n', /non-negative whole number/],
  ['memory.max', '', /non-negative whole number/],
])('a malformed %s of %j is refused with path and text', (file, text, message) => {
  const root = tree(v2('/a'), { [`sys/fs/cgroup/a/${file}`]: text });
  expect(() => readMemoryLimits(root)).toThrow(message);
});

test.each([
  ['cpu.max', '0 100000', /quota and a period/],
  ['cpu.max', '100000', /quota and a period/],
  ['cpu.max', '1e9 1', /quota and a period/],
  ['cpuset.cpus.effective', '3-1', /list of cpus/],
  ['cpuset.cpus.effective', 'all', /list of cpus/],
])('a malformed %s of %j is refused', (file, text, message) => {
  const root = tree(v2('/a'), { [`sys/fs/cgroup/a/${file}`]: text });
  expect(() => readCpuLimits(root)).toThrow(message);
});
