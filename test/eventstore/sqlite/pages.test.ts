import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Pages } from '../../../src/eventstore/sqlite/disk/pages.ts';

/** What this process has open in a folder. */
function openIn(folder: string): string[] {
  const target = (descriptor: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return ''; // that of the list itself
    }
  };
  return readdirSync('/proc/self/fd')
    .map(target)
    .filter((path) => path.startsWith(folder));
}

it.runIf(process.platform === 'linux')('pages whose write-ahead log cannot be read leave nothing open', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rpm-pages-'));
  const path = join(folder, 'log.db');
  writeFileSync(path, 'file');
  mkdirSync(`${path}-wal`); // opens, and cannot be read
  expect(() => new Pages(path, 8_192)).toThrow('EISDIR');
  expect(openIn(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
