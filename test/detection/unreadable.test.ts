import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCpuLimits, readMemoryLimits, tightest } from '../../src/detection/cgroup.ts';
import { createResourceDetector } from '../../src/detection/detector.ts';
import { countHostCpus, diskSpace } from '../../src/detection/host.ts';
import { inTime } from '../../src/detection/refine.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { ResourceIssue } from '../../src/model/interfaces.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { GIB, HOST, handClock, tree, V1_DOCKER, v2, write } from './fixture.ts';

const MIB = 1024 ** 2;
const BOX = {
  ...v2('/box'),
  'sys/fs/cgroup/box/memory.max': `${512 * MIB}\n`,
  'sys/fs/cgroup/box/memory.current': `${100 * MIB}\n`,
  'sys/fs/cgroup/box/cpu.max': '200000 100000\n',
  'sys/fs/cgroup/box/cpu.stat': 'usage_usec 1000000\n',
};
const V1_HUGE = '9223372036854771712\n';

const limitOf = (root: string) => tightest(readMemoryLimits(root))?.limit;

/** A folder in the place of a file: it is there, and to read it is an error (EISDIR) for anyone. */
function unread(root: string, path: string): void {
  rmSync(join(root, path), { recursive: true, force: true });
  mkdirSync(join(root, path), { recursive: true });
}

function readable(root: string, path: string, text: string): void {
  rmSync(join(root, path), { recursive: true, force: true });
  write(root, { [path]: text });
}

function detect(root: string) {
  const clock = handClock();
  const issues: ResourceIssue[] = [];
  const detector = createResourceDetector({ root, clock, onAlert: (issue) => issues.push(issue) });
  return { detector, clock, issues, look: () => detector.getCurrentResources() };
}

/** What a limit rests on. */
const FILES = ['memory.max', 'memory.high', 'memory.current', 'memory.stat'].map((name) => `sys/fs/cgroup/box/${name}`);

describe('a limit that cannot be read is not "no limit"', () => {
  test.each([...FILES, 'proc/self/cgroup', 'proc/self/mountinfo', 'proc/meminfo'])(
    'after %s could be read: the last good amounts stand, one alert says why, and then they are read again',
    (path) => {
      const root = tree(HOST, BOX);
      const { clock, issues, look } = detect(root);
      const before = look();
      expect(before.resources['memory']).toEqual({ total: 512 * MIB, used: 100 * MIB, available: 412 * MIB });
      unread(root, path);
      for (let i = 0; i < 4; i++) {
        clock.advance(5_000);
        expect(look()).toMatchObject({ resources: { memory: before.resources['memory'] }, containerLimited: true });
        expect(look().unreadable).toEqual(expect.objectContaining({ memory: expect.stringContaining('EISDIR') }));
      }
      const text = { ...HOST, ...BOX }[path as keyof typeof BOX];
      if (text === undefined) rmSync(join(root, path), { recursive: true });
      else readable(root, path, text);
      clock.advance(5_000);
      expect(look().unreadable).toEqual({});
      const told = issues.filter(({ resource }) => resource === 'memory').map(({ code }) => code);
      expect(told).toEqual(['DETECTOR_STALE', 'DETECTOR_RECOVERED']);
    },
  );

  test.each([...FILES, 'proc/self/cgroup', 'proc/self/mountinfo', 'proc/meminfo'])(
    'before %s could ever be read: the dimension is left out, and that is said',
    (path) => {
      const root = tree(HOST, BOX);
      unread(root, path);
      const { issues, look } = detect(root);
      expect(look().resources).not.toHaveProperty('memory');
      expect(look().unreadable).toHaveProperty('memory');
      expect(issues.map(({ code, resource }) => `${code} ${resource}`)).toContain('DETECTOR_STALE memory');
    },
  );

  test.each(['cpu.max', 'cpuset.cpus.effective', 'cpu.stat'])('cpu, at %s', (name) => {
    const root = tree(HOST, BOX, { 'sys/fs/cgroup/box/cpuset.cpus.effective': '0-3\n' });
    const { clock, look } = detect(root);
    const before = look().resources['cpu'];
    expect(before?.total).toBe(2000);
    unread(root, `sys/fs/cgroup/box/${name}`);
    clock.advance(5_000);
    expect(look()).toMatchObject({ resources: { cpu: before }, unreadable: { cpu: expect.any(String) } });
  });

  test.each(['', '\n', '-1\n', '512M\n', '53687091\u0000', 'NaN'])('nor one that says %j', (text) => {
    const root = tree(HOST, BOX);
    const { clock, look } = detect(root);
    look();
    write(root, { 'sys/fs/cgroup/box/memory.max': text });
    clock.advance(5_000);
    expect(look()).toMatchObject({ resources: { memory: { total: 512 * MIB } }, unreadable: { memory: /./ } });
  });

  test('everything may be unreadable for a while', () => {
    const root = tree(HOST, BOX);
    const { clock, look } = detect(root);
    const { resources } = look();
    const files = { ...HOST, ...BOX };
    for (const path of Object.keys(files)) unread(root, path);
    clock.advance(20_000);
    expect(look().resources['memory']).toEqual(resources['memory']);
    expect(look().resources['cpu']).toEqual(resources['cpu']);
    for (const [path, text] of Object.entries(files)) readable(root, path, text);
    clock.advance(20_000);
    expect(look().unreadable).toEqual({});
  });

  test('a group in a hierarchy that is mounted nowhere may have a limit; the root of one has none', () => {
    const nowhere = { 'proc/self/mountinfo': '20 1 0:20 / / rw - ext4 /dev/sda rw\n' };
    expect(() => limitOf(tree({ 'proc/self/cgroup': '0::/pods/one\n', ...nowhere }))).toThrow(/mounted nowhere/);
    expect(limitOf(tree({ 'proc/self/cgroup': '0::/\n', ...nowhere }))).toBeUndefined();
    expect(() => limitOf(tree(BOX, { 'proc/self/cgroup': '' }))).toThrow(/list of cgroups/);
  });

  test('a controller that the kernel was started without limits nothing', () => {
    const nowhere = { 'proc/self/mountinfo': '20 1 0:20 / / rw - ext4 /dev/sda rw\n' };
    const group = { 'proc/self/cgroup': '4:cpu:/box\n0::/box\n', ...nowhere };
    const controllers = (enabled: 0 | 1) => ({ 'proc/cgroups': `cpu\t4\t1\t1\nmemory\t0\t1\t${enabled}\n` });
    expect(limitOf(tree({ ...group, ...controllers(0) }))).toBeUndefined();
    expect(() => limitOf(tree({ ...group, ...controllers(1) }))).toThrow(/mounted nowhere/);
  });
});

describe('the tightest limit on the path of this process', () => {
  const mountinfo = (...mounts: (readonly [root: string, at: string])[]) => ({
    'proc/self/mountinfo': mounts
      .map(([root, at], i) => `${30 + i} 23 0:26 ${root} ${at} rw shared:4 - cgroup2 cgroup2 rw\n`)
      .join(''),
  });
  const own = { 'sys/fs/cgroup/memory.max': `${512 * MIB}\n` };

  test.each([
    ['with the paths of the host', '0::/docker/abc\n', ['/', '/docker/abc']],
    ['in a cgroup namespace of its own', '0::/\n', ['/../..', '/']],
  ] as const)('is found where the host hierarchy is mounted first, %s', (_, text, [host, mine]) => {
    const both = mountinfo([host, '/host/cgroup'], [mine, '/sys/fs/cgroup']);
    const root = tree({ 'proc/self/cgroup': text, ...both, ...own, 'host/cgroup/cgroup.procs': '1\n' });
    expect(limitOf(root)).toBe(512 * MIB);
    write(root, { 'host/cgroup/memory.max': `${256 * MIB}\n` });
    expect(limitOf(root)).toBe(256 * MIB);
  });

  test("leaves out a mount of another container's part, and what another mount hides", () => {
    const root = tree(
      { 'proc/self/cgroup': '0::/docker/abc\n', ...own, 'other/memory.max': '1\n' },
      mountinfo(['/docker/other', '/other'], ['/docker/other', '/sys/fs/cgroup'], ['/docker/abc', '/sys/fs/cgroup']),
    );
    expect(limitOf(root)).toBe(512 * MIB);
  });

  test.each(['/a b/c', '/a:b/c', '/x (deleted)/c', '/gone (deleted)'])('is found in the group %j', (group) => {
    const root = tree(v2(group), { 'sys/fs/cgroup/memory.max': `${GIB}\n` });
    if (!group.startsWith('/gone')) write(root, { [`sys/fs/cgroup${group}/memory.max`]: `${512 * MIB}\n` });
    expect(limitOf(root)).toBe(group.startsWith('/gone') ? GIB : 512 * MIB);
  });

  test('is that of groups which version 1 does not show, too', () => {
    const root = tree(HOST, V1_DOCKER, {
      'sys/fs/cgroup/memory/memory.limit_in_bytes': V1_HUGE,
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '9000\n',
      'sys/fs/cgroup/memory/memory.stat': `cache 0\nhierarchical_memory_limit ${512 * MIB}\ntotal_inactive_file 0\n`,
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpuset/cpuset.cpus': '0-7\n',
    });
    expect(limitOf(root)).toBe(512 * MIB);
    expect(detect(root).look().resources['memory']?.total).toBe(512 * MIB);
    write(root, { 'sys/fs/cgroup/memory/memory.stat': `hierarchical_memory_limit ${V1_HUGE}` });
    expect(limitOf(root)).toBeUndefined();
  });

  test('follows the process to another group, and a limit up, down and below what is used', () => {
    const root = tree(HOST, BOX);
    const { clock, look } = detect(root);
    const memoryAfter = (files: Record<string, string>) => {
      write(root, files);
      clock.advance(5_000);
      return look().resources['memory'];
    };
    look();
    expect(memoryAfter({ 'sys/fs/cgroup/box/memory.max': `${GIB}` })?.total).toBe(GIB);
    const below = memoryAfter({ 'sys/fs/cgroup/box/memory.max': `${50 * MIB}` });
    expect(below).toEqual({ total: 50 * MIB, used: 50 * MIB, available: 0 });
    const moved = { 'proc/self/cgroup': '0::/other\n', 'sys/fs/cgroup/other/memory.max': `${2 * GIB}` };
    expect(memoryAfter({ ...moved, 'sys/fs/cgroup/other/memory.current': '0' })?.total).toBe(2 * GIB);
  });

  test.each([
    ['max 100000', undefined],
    ['max', undefined],
    ['1 100000', 1],
    ['50000 100000', 500],
  ])('a cpu.max of %j is %s millicores', (text, expected) => {
    const root = tree(v2('/a'), { 'sys/fs/cgroup/a/cpu.max': text });
    expect(tightest(readCpuLimits(root))?.limit).toBe(expected);
  });

  test.each(['100000 0', '-1 100000', ''])('a cpu.max of %j is refused', (text) => {
    expect(() => readCpuLimits(tree(v2('/a'), { 'sys/fs/cgroup/a/cpu.max': text }))).toThrow(/quota and a period/);
  });
});

describe('what cannot be true of the host', () => {
  const meminfo = (total: number, available: string) => ({
    'proc/meminfo': `MemTotal: ${total} kB\nMemFree: 1024 kB\n${available}`,
  });

  test('more available than there is, is all of it', () => {
    const { look } = detect(tree(HOST, meminfo(1_000, 'MemAvailable: 2000 kB\n')));
    expect(look()).toMatchObject({
      resources: { memory: { total: 1_024_000, used: 0, available: 1_024_000 } },
      unreadable: {},
    });
  });

  test('no MemAvailable, as of old kernels, is MemFree', () => {
    expect(detect(tree(HOST, meminfo(2_048, ''))).look().resources['memory']?.available).toBe(MIB);
  });

  test('a total of 0 is no capacity of 0: it is said, and the dimension left out', () => {
    const { issues, look } = detect(tree(HOST, meminfo(0, 'MemAvailable: 0 kB\n')));
    expect(look().resources).not.toHaveProperty('memory');
    expect(look().unreadable!['memory']).toContain('MemTotal above 0');
    expect(issues).toHaveLength(1);
  });

  test('no cpus at all', () => {
    expect(() => countHostCpus(tree({ 'proc/stat': 'cpu 1 2 3 4\n' }))).toThrow(/tells of a cpu/);
    expect(() => countHostCpus(tree(), () => 0)).toThrow(/tells of a cpu/);
    expect(countHostCpus(tree())).toBeGreaterThan(0);
  });

  test('a disk larger than 2^53 bytes, or with more free than there is', () => {
    const most = Number.MAX_SAFE_INTEGER;
    expect(diskSpace(2 ** 51, 2 ** 51, 2 ** 51, 4_096)).toEqual({
      totalBytes: most,
      usedBytes: 0,
      availableBytes: most,
    });
    expect(diskSpace(10, 20, 20, 1)).toEqual({ totalBytes: 10, usedBytes: 0, availableBytes: 10 });
  });

  test('a tool that never answers is given up', async () => {
    await expect(inTime('graphics', new Promise(() => {}), 1)).rejects.toThrow(/graphics gave no answer in 1 ms/);
    await expect(inTime('graphics', Promise.reject(new Error('thrown')))).rejects.toThrow('thrown');
    expect(await inTime('graphics', Promise.resolve(7))).toBe(7);
  });
});

test('a manager grants no more than the limit that it knew, and says in its status what cannot be read', async () => {
  const root = tree(HOST, BOX);
  const clock = fakeClock();
  const issues: ResourceIssue[] = [];
  const detector = createResourceDetector({ root, clock });
  const healthMonitor = {
    checkResourceHealth: async () => ({ healthy: true, at: clock.now(), checks: [] }),
    reportResourceMetrics: () => undefined,
    alertResourceIssue: (issue: ResourceIssue) => void issues.push(issue),
  };
  const config = { reserve: '0%', detection: { stableSamples: 1 }, overload: { pressureRatio: 1 } };
  const manager = new ResourcePoolManager(detector, config, { clock, healthMonitor });
  await manager.ready();
  const detection = () => manager.status().checks.find(({ name }) => name === 'detection');
  expect(detection()).toEqual({ name: 'detection', ok: true });
  unread(root, 'sys/fs/cgroup/box/memory.max');
  await clock.advanceAsync(20_000);
  expect((await manager.getPool()).capacity['memory']).toBe(512 * MIB);
  expect(await manager.tryAllocate({ requirements: { memory: '1Gi' } })).toMatchObject({
    refused: { code: 'NEVER_FITS' },
  });
  expect(detection()).toMatchObject({ ok: false, message: expect.stringMatching(/^memory cannot be read: EISDIR/) });
  expect(manager.status().ready).toBe(true);
  readable(root, 'sys/fs/cgroup/box/memory.max', `${512 * MIB}`);
  await clock.advanceAsync(20_000);
  expect(detection()).toEqual({ name: 'detection', ok: true });
  const told = issues.filter(({ resource }) => resource === 'memory').map(({ code }) => code);
  expect(told).toEqual(['DETECTOR_STALE', 'DETECTOR_RECOVERED']);
  await manager.dispose();
});
