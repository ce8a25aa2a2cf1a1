import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readHint } from './files.ts';

/** Pressure stall information (Documentation/accounting/psi.rst): the share of the last 10 s in which some task waited, 0..1. */
export interface Pressure {
  readonly cpu?: number;
  readonly memory?: number;
  readonly io?: number;
}

type Kind = keyof Pressure;
const KINDS: readonly Kind[] = ['cpu', 'memory', 'io'];

/** `some avg10` as 0..1, or undefined for a text of another form. */
export function parsePressure(text: string): number | undefined {
  const match = /^some avg10=([0-9]{1,3}(?:\.[0-9]{1,4})?) /m.exec(text);
  return match === null ? undefined : Math.min(1, Math.round(Number(match[1]) * 100) / 10_000);
}

/**
 * The files to read pressure from: of the group that limits us if there is one (version 2), else of the whole machine. A
 * group without a limit of its own would tell only of its own members, not of the capacity that they share.
 */
export function findPressureFiles(root: string, limitedDir: string | undefined): ReadonlyMap<Kind, string> {
  const files = new Map<Kind, string>();
  for (const kind of KINDS) {
    const own = limitedDir === undefined ? undefined : join(limitedDir, `${kind}.pressure`);
    const path = [own, join(root, 'proc/pressure', kind)].find((each) => each !== undefined && existsSync(each));
    if (path !== undefined && readHint(path) !== undefined) files.set(kind, path);
  }
  return files;
}

/** What can be read now; a kind that cannot be is left out rather than called zero. */
export function readPressure(files: ReadonlyMap<Kind, string>): Pressure {
  const pressure: { -readonly [K in Kind]?: number } = {};
  for (const [kind, path] of files) {
    const value = parsePressure(readHint(path) ?? '');
    if (value !== undefined) pressure[kind] = value;
  }
  return pressure;
}
