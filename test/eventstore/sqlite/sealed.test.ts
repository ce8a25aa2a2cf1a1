import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/eventstore/check.ts';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { events, mustAppend, readBack } from '../fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'rpm-sealed-'));
const mounted: string[] = [];
afterAll(() => {
  for (const folder of mounted) spawnSync('umount', [folder]);
  rmSync(root, { recursive: true, force: true });
});

/** A folder of its own on a disk that is sealed later. */
function newDisk(name: string): string {
  const folder = join(root, name);
  mkdirSync(folder);
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', folder]);
  if (status !== 0) throw new Error(String(stderr));
  mounted.push(folder);
  return folder;
}

const seal = (folder: string): void => {
  expect(spawnSync('mount', ['-o', 'remount,ro', folder]).status).toBe(0);
};

function canMount(): boolean {
  try {
    newDisk('probe');
    return true;
  } catch (error) {
    console.log(`a log on a read-only mount: skipped, ${error}`);
    return false;
  }
}

describe.skipIf(!canMount())('a copy of a sqlite log on a read-only mount', () => {
  it.each([
    ['of a log that was closed', [''], 2],
    ['with its mark', ['', '.mark'], 2],
    ['with the write-ahead log that was left beside it', ['', '-wal'], 4],
    ['with all that a writer leaves', ['', '-wal', '-shm', '.mark', '.lock'], 4],
  ])('%s is checked and read, and nothing is made there', async (what, parts, count) => {
    const path = join(root, `${what}.db`);
    const before = await openEventStore(`sqlite:${path}`);
    await mustAppend(before, 'pool-a', events(2), -1);
    await before.close();
    const store = await openEventStore(`sqlite:${path}`);
    if (count > 2) await mustAppend(store, 'pool-a', events(2), 1);
    const folder = newDisk(what);
    for (const part of parts) await copyFile(path + part, join(folder, `log.db${part}`));
    seal(folder);
    const url = `sqlite:${join(folder, 'log.db')}`;
    const copy = await openEventStore(url, { readOnly: true, whole: true });
    expect(await checkStore(copy)).toMatchObject({ events: count, streams: { size: 1 } });
    expect(await readBack(copy, 'pool-a')).toEqual(await readBack(store, 'pool-a'));
    await copy.close();
    await expect(openEventStore(url)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
    expect(readdirSync(folder).sort()).toEqual(parts.map((part) => `log.db${part}`).sort());
    await store.close();
  });
});
