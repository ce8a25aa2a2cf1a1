import { totalmem } from 'node:os';
import { describe, expect, test } from 'vitest';
import { createResourceDetector } from '../../src/detection/detector.ts';
import type { ResourceIssue } from '../../src/model/interfaces.ts';
import { GIB, groupPressure, HOST, HOST_PRESSURE, handClock, tree, v2, write } from './fixture.ts';

const CONTAINER = {
  ...v2('/box'),
  'sys/fs/cgroup/box/memory.max': `${4 * GIB}`,
  'sys/fs/cgroup/box/memory.current': `${GIB}`,
  'sys/fs/cgroup/box/cpu.max': '200000 100000',
  'sys/fs/cgroup/box/cpu.stat': 'usage_usec 1000000\n',
};

function detect(root: string, options: Parameters<typeof createResourceDetector>[0] = {}) {
  const clock = handClock();
  const issues: ResourceIssue[] = [];
  const detector = createResourceDetector({ root, clock, onAlert: (issue) => issues.push(issue), ...options });
  return { detector, clock, issues };
}

describe('totals', () => {
  test("without a container they are the host's", () => {
    const { detector } = detect(tree(HOST));
    const { resources, containerLimited, source } = detector.getCurrentResources();
    expect(resources['memory']).toEqual({ total: 16 * GIB, used: 4 * GIB, available: 12 * GIB });
    expect(resources['cpu']?.total).toBe(8000);
    expect([containerLimited, source]).toEqual([false, 'detected']);
  });

  test("in a container they are the container's, and it says so", () => {
    const { resources, containerLimited } = detect(tree(HOST, CONTAINER)).detector.getCurrentResources();
    expect(resources['memory']).toEqual({ total: 4 * GIB, used: GIB, available: 3 * GIB });
    expect(resources['cpu']?.total).toBe(2000);
    expect(containerLimited).toBe(true);
  });

  test('a limit above what the host has is no limit', () => {
    const root = tree(HOST, CONTAINER, {
      'sys/fs/cgroup/box/memory.max': `${64 * GIB}`,
      'sys/fs/cgroup/box/cpu.max': '6400000 100000',
    });
    const { resources, containerLimited } = detect(root).detector.getCurrentResources();
    expect([resources['memory']?.total, resources['cpu']?.total, containerLimited]).toEqual([16 * GIB, 8000, false]);
  });

  test('no more is available than the host and every outer group have left', () => {
    const root = tree(HOST, CONTAINER, {
      ...v2('/box/in'),
      'sys/fs/cgroup/box/memory.current': `${3.5 * GIB}`,
      'sys/fs/cgroup/box/in/memory.max': `${2 * GIB}`,
      'sys/fs/cgroup/box/in/memory.current': `${GIB}`,
    });
    const { resources } = detect(root).detector.getCurrentResources();
    expect(resources['memory']).toEqual({ total: 2 * GIB, used: GIB, available: GIB / 2 });
  });

  test('network is the speed of links that are up, and left out where none is known', () => {
    const net = (name: string, speed: string) => ({
      [`sys/class/net/${name}/device/x`]: '',
      [`sys/class/net/${name}/operstate`]: 'up\n',
      [`sys/class/net/${name}/speed`]: speed,
      [`sys/class/net/${name}/statistics/rx_bytes`]: '1000\n',
      [`sys/class/net/${name}/statistics/tx_bytes`]: '10\n',
    });
    const root = tree(HOST, net('eth0', '1000\n'), net('eth1', '-1\n'));
    const { detector, clock } = detect(root);
    detector.getCurrentResources();
    write(root, { 'sys/class/net/eth0/statistics/rx_bytes': '12501000\n' });
    clock.advance(1000);
    expect(detector.getCurrentResources().resources['network']).toEqual({ total: 1e9, used: 1e8, available: 9e8 });
    expect(detect(tree(HOST, net('eth0', '-1\n'))).detector.getCurrentResources().resources).not.toHaveProperty(
      'network',
    );
  });
});

describe('usage', () => {
  test('cpu of a container is the rate of its cpu time', () => {
    const root = tree(HOST, CONTAINER);
    const { detector, clock } = detect(root);
    detector.getCurrentResources();
    write(root, { 'sys/fs/cgroup/box/cpu.stat': 'usage_usec 1500000\n' });
    clock.advance(1000);
    expect(detector.getCurrentResources().resources['cpu']).toEqual({ total: 2000, used: 500, available: 1500 });
  });

  test('no more cpu of a container is available than its host has idle', () => {
    const root = tree(HOST, CONTAINER);
    const { detector, clock } = detect(root);
    write(root, { 'proc/stat': HOST['proc/stat'].replace('100 0 100 550 50', '1050 0 100 600 50') });
    clock.advance(1000);
    expect(detector.getCurrentResources().resources['cpu']).toEqual({ total: 2000, used: 0, available: 400 });
  });

  test('cpu of a host is its busy share since the last look, and the load average before there was one', () => {
    const root = tree(HOST);
    const { detector, clock } = detect(root);
    expect(detector.getCurrentResources().resources['cpu']).toEqual({ total: 8000, used: 2000, available: 6000 });
    write(root, { 'proc/stat': HOST['proc/stat'].replace('100 0 100 550 50', '400 0 100 650 50') });
    clock.advance(1000);
    expect(detector.getCurrentResources().resources['cpu']).toEqual({ total: 8000, used: 6000, available: 2000 });
  });

  test('a sample is answered again while it is younger than sampleIntervalMs', () => {
    const { detector, clock } = detect(tree(HOST), { sampleIntervalMs: 100 });
    const first = detector.getCurrentResources();
    clock.advance(99);
    expect(detector.getCurrentResources()).toBe(first);
    clock.advance(1);
    expect(detector.getCurrentResources().at).toBe(first.at + 100);
  });

  test('a dimension with little left is constrained', () => {
    const root = tree(HOST, CONTAINER, { 'sys/fs/cgroup/box/memory.current': `${3.9 * GIB}`.split('.')[0]! });
    expect(detect(root).detector.getAvailability().constrained).toEqual(['memory']);
  });

  test("pressure is the container's if it is limited, else the machine's", () => {
    const inside = tree(HOST, HOST_PRESSURE, CONTAINER, groupPressure('sys/fs/cgroup/box'));
    expect(detect(inside).detector.getCurrentResources().pressure).toEqual({ cpu: 0.5, memory: 0.25, io: 0.05 });
    const outside = tree(HOST, HOST_PRESSURE, v2('/user'), groupPressure('sys/fs/cgroup/user'));
    expect(detect(outside).detector.getCurrentResources().pressure).toEqual({ cpu: 0.125, memory: 0.01, io: 0 });
    expect(detect(tree(HOST)).detector.getCurrentResources().pressure).toEqual({});
  });
});

describe('failure', () => {
  test('what cannot be read keeps its last good value, is stale, and alerts once at begin and end', () => {
    const root = tree(HOST, CONTAINER);
    const { detector, clock, issues } = detect(root);
    const before = detector.getCurrentResources().resources['memory'];
    for (let look = 0; look < 3; look += 1) {
      write(root, { 'sys/fs/cgroup/box/memory.current': 'garbage' });
      clock.advance(1000);
      expect(detector.getCurrentResources().resources['memory']).toEqual(before);
      expect(detector.getAvailability().stale).toBe(true);
    }
    write(root, { 'sys/fs/cgroup/box/memory.current': `${2 * GIB}` });
    clock.advance(1000);
    expect(detector.getCurrentResources().resources['memory']?.used).toBe(2 * GIB);
    expect(detector.getAvailability().stale).toBe(false);
    expect(issues.map((issue) => [issue.code, issue.resource])).toEqual([
      ['DETECTOR_STALE', 'memory'],
      ['DETECTOR_RECOVERED', 'memory'],
    ]);
    expect(issues[0]?.message).toContain('garbage');
  });

  test('a limit that becomes malformed keeps the last one and touches no other dimension', () => {
    const root = tree(HOST, CONTAINER);
    const { detector, clock } = detect(root);
    detector.getCurrentResources();
    write(root, { 'sys/fs/cgroup/box/memory.max': '??', 'sys/fs/cgroup/box/cpu.max': '100000 100000' });
    clock.advance(10_000);
    const { resources } = detector.getCurrentResources();
    expect([resources['memory']?.total, resources['cpu']?.total]).toEqual([4 * GIB, 1000]);
  });

  test('a limit that says zero is no capacity of zero', () => {
    const root = tree(HOST, CONTAINER);
    const { detector, clock, issues } = detect(root);
    detector.getCurrentResources();
    write(root, { 'sys/fs/cgroup/box/memory.max': '0' });
    clock.advance(10_000);
    expect(detector.getCurrentResources().resources['memory']?.total).toBe(4 * GIB);
    expect(issues[0]?.message).toMatch(/memory.total: 0 is no capacity/);
  });

  test('a dimension that was never readable is left out, not guessed', () => {
    const { detector, issues } = detect(tree(HOST, CONTAINER, { 'sys/fs/cgroup/box/memory.max': 'x' }));
    expect(Object.keys(detector.getCurrentResources().resources)).not.toContain('memory');
    expect(issues.map((issue) => issue.resource)).toEqual(['memory']);
  });
});

describe('declared capacity', () => {
  test("totals are the declared ones, usage and pressure the machine's", () => {
    const { detector } = detect(tree(HOST, HOST_PRESSURE), {
      capacity: { memory: '14Gi', cpu: 400, gpu: 1, licence: 3 },
    });
    const { resources, source, pressure } = detector.getCurrentResources();
    expect(source).toBe('declared');
    expect(resources).toEqual({
      memory: { total: 14 * GIB, used: 2 * GIB, available: 12 * GIB },
      cpu: { total: 4000, used: 0, available: 4000 },
      gpu: { total: 1000, used: 0, available: 1000 },
      licence: { total: 3000, used: 0, available: 3000 },
    });
    expect(pressure?.memory).toBe(0.01);
  });

  test('every wrong option is named at once', () => {
    expect(() =>
      createResourceDetector({
        capacity: { memory: 'much', cpu: -1 },
        sampleIntervalMs: Number.NaN,
        constrainedRatio: 2,
      }),
    ).toThrow(/capacity\.memory[\s\S]*capacity\.cpu[\s\S]*sampleIntervalMs: NaN[\s\S]*constrainedRatio: 2/);
    expect(() => createResourceDetector({ capacity: { memory: 0 } })).toThrow(/at least one amount above zero/);
  });
});

describe('host id', () => {
  test('is one for one machine, wherever the data lies, and not the machine id itself', () => {
    const a = detect(tree(HOST), { dataDir: tree() }).detector.getCurrentResources().hostId;
    const b = detect(tree(HOST), { dataDir: tree() }).detector.getCurrentResources().hostId;
    expect(a).toBe(b);
    expect(a).not.toContain('0123456789abcdef');
    const other = tree(HOST, { 'etc/machine-id': 'ffffffffffffffffffffffffffffffff\n' });
    expect(detect(other).detector.getCurrentResources().hostId).not.toBe(a);
  });

  test("without a machine id it comes from the host's name and stays the same", () => {
    const blank = () => tree(HOST, { 'etc/machine-id': 'uninitialized\n' });
    expect(detect(blank()).detector.getCurrentResources().hostId).toMatch(/^[0-9a-f]{32}$/);
    expect(detect(blank()).detector.getCurrentResources().hostId).toBe(
      detect(tree()).detector.getCurrentResources().hostId,
    );
  });
});

test('this very machine: whole amounts above zero, no more memory than it has', async () => {
  const issues: ResourceIssue[] = [];
  const detector = createResourceDetector({ onAlert: (issue) => issues.push(issue) });
  await detector.refined();
  const { resources, hostId } = detector.getCurrentResources();
  expect(Object.keys(resources)).toEqual(expect.arrayContaining(['memory', 'cpu', 'disk']));
  for (const use of Object.values(resources)) {
    expect(use.total).toBeGreaterThan(0);
    for (const amount of [use.total, use.used, use.available]) {
      expect(Number.isSafeInteger(amount)).toBe(true);
      expect(amount).toBeGreaterThanOrEqual(0);
      expect(amount).toBeLessThanOrEqual(use.total);
    }
  }
  expect(resources['memory']!.total).toBeLessThanOrEqual(totalmem());
  expect(hostId).toMatch(/^[0-9a-f]{32}$/);
  expect(issues).toEqual([]);
});
