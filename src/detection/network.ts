import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isThere, parseCount, readIfThere, readText } from './files.ts';

/** Interfaces of real hardware that are up and tell their speed (Documentation/ABI/testing/sysfs-class-net). */
export interface NetworkLinks {
  readonly bitsPerSecond: number;
  readonly dirs: readonly string[];
}

const MBIT = 1_000_000;

/** Undefined where no speed is known, as on most virtual machines: a guess would be granted to someone. */
export function findNetworkLinks(root: string): NetworkLinks | undefined {
  const base = join(root, 'sys/class/net');
  if (!isThere(base)) return undefined;
  const links = readdirSync(base)
    .map((name) => join(base, name))
    .flatMap((dir) => (isUpHardware(dir) ? [{ dir, mbits: speedMbits(dir) }] : []))
    .filter((link) => link.mbits > 0);
  if (links.length === 0) return undefined;
  return {
    bitsPerSecond: links.reduce((sum, link) => sum + link.mbits * MBIT, 0),
    dirs: links.map((link) => link.dir),
  };
}

const isUpHardware = (dir: string): boolean =>
  isThere(join(dir, 'device')) && readIfThere(join(dir, 'operstate'))?.trim() === 'up';

/** -1, an error, or 2^32-1 stand for "unknown". */
function speedMbits(dir: string): number {
  const text = speedText(join(dir, 'speed'));
  return /^[1-9][0-9]{0,6}$/.test(text) ? Number(text) : 0;
}

/** The kernel answers EINVAL for a link that has no speed, and EOPNOTSUPP for one that cannot tell it. */
function speedText(path: string): string {
  try {
    return readIfThere(path)?.trim() ?? '';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EINVAL' || code === 'EOPNOTSUPP') return '';
    throw error;
  }
}

/** Bytes carried in the busier direction: links are full duplex, and the fuller direction is what limits. */
export function readNetworkBytes(links: NetworkLinks): number {
  const sum = (name: string): number =>
    links.dirs.reduce((total, dir) => total + counter(join(dir, 'statistics', name)), 0);
  return Math.max(sum('rx_bytes'), sum('tx_bytes'));
}

const counter = (path: string): number => parseCount(path, readText(path));
