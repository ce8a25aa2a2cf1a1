import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterThisTest } from '../support/clean-up.ts';

export function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** A root folder that holds these files, removed after the test. */
export function tree(...parts: readonly Readonly<Record<string, string>>[]): string {
  const root = mkdtempSync(join(tmpdir(), 'rpm-detection-'));
  afterThisTest(() => rmSync(root, { recursive: true, force: true }));
  for (const files of parts) write(root, files);
  return root;
}

export const GIB = 1024 ** 3;

/** A host of 16 GiB, 12 of them available, and 8 cpus that have been busy for a quarter of the time. */
export const HOST = {
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'proc/meminfo': `MemTotal:       ${16 * 1024 * 1024} kB\nMemFree:        1024 kB\nMemAvailable:   ${12 * 1024 * 1024} kB\n`,
  'proc/stat': `${['', 0, 1, 2, 3, 4, 5, 6, 7].map((n) => `cpu${n}${n === '' ? ' ' : ''} 100 0 100 550 50 0 0 0 0 0\n`).join('')}intr 1 2\n`,
  'proc/loadavg': '2.00 1.00 1.00 1/100 1234\n',
};

const pressure = (avg10: string): string =>
  `some avg10=${avg10} avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1\n`;

export const HOST_PRESSURE = {
  'proc/pressure/cpu': pressure('12.50'),
  'proc/pressure/memory': pressure('1.00'),
  'proc/pressure/io': pressure('0.00'),
};

/** Cgroup v2 as systemd mounts it, with the process in `group`. */
export const v2 = (group: string): Record<string, string> => ({
  'proc/self/cgroup': `0::${group}\n`,
  'proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n',
});

/** Cgroup v1 as Docker shows it: the path is the host's, the mount holds the container's part only. */
export const V1_DOCKER = {
  'proc/self/cgroup':
    '5:memory:/docker/abc\n4:cpuset:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n',
  'proc/self/mountinfo': [
    '32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct',
    '34 31 0:31 /docker/abc /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset',
    '35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory',
    '',
  ].join('\n'),
};

export const groupPressure = (dir: string): Record<string, string> => ({
  [`${dir}/cpu.pressure`]: pressure('50.00'),
  [`${dir}/memory.pressure`]: pressure('25.00'),
  [`${dir}/io.pressure`]: pressure('5.00'),
});

/** A clock that stands until it is moved. */
export function handClock() {
  let [nowMs, monotonicMs] = [1_700_000_000_000, 1000];
  return {
    now: () => nowMs,
    monotonic: () => monotonicMs,
    advance: (ms: number) => {
      nowMs += ms;
      monotonicMs += ms;
    },
  };
}
