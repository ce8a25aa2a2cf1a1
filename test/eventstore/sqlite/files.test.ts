import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { copyFile, link, open, rename, rm, stat, symlink, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { markPath, readMark } from '../../../src/eventstore/sqlite/high-water.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { events, mustAppend, readBack } from '../fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'rpm-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** A log of four events, the first two of them moved into the file, and what is logged of it. */
async function openedLog() {
  const folder = join(root, `${++folders}`, 'data');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'pool.db');
  const errors: string[] = [];
  const logger = { ...SILENT, error: (_: object, message: string) => void errors.push(message) };
  const before = await openEventStore(`sqlite:${path}`);
  await mustAppend(before, 'pool-a', events(2), -1);
  await before.close();
  const store = await openEventStore(`sqlite:${path}`, { logger });
  await mustAppend(store, 'pool-a', events(2), 1);
  return { folder, path, store, errors };
}

interface Case {
  readonly what: string;
  readonly tamper: (path: string, folder: string) => Promise<unknown>;
  /** Nothing changes in the folder: seen within a second, but not before the next acknowledgement. */
  readonly unseenByGlance?: true;
  /** What was cut away cannot be read any more. */
  readonly cut?: true;
}

async function replace(path: string): Promise<void> {
  await copyFile(path, `${path}.copy`);
  await rename(`${path}.copy`, path);
}

const CASES: readonly Case[] = [
  { what: 'the folder removed', tamper: (_, folder) => rm(folder, { recursive: true }) },
  { what: 'the folder renamed', tamper: (_, folder) => rename(folder, `${folder}-away`) },
  {
    what: 'another folder in its place',
    tamper: async (_, folder) => {
      await rename(folder, `${folder}-away`);
      mkdirSync(folder);
    },
  },
  { what: 'the file removed', tamper: (path) => rm(path) },
  { what: 'the file renamed', tamper: (path) => rename(path, `${path}.away`) },
  { what: 'the file replaced by its copy', tamper: replace },
  {
    what: 'the file replaced by a link to where it went',
    tamper: async (path) => {
      await rename(path, `${path}.away`);
      await symlink(`${path}.away`, path);
    },
  },
  { what: 'the file cut', tamper: (path) => truncate(path, 0), unseenByGlance: true, cut: true },
  { what: 'the write-ahead log removed', tamper: (path) => rm(`${path}-wal`) },
  { what: 'the write-ahead log replaced', tamper: (path) => replace(`${path}-wal`) },
  {
    what: 'the write-ahead log cut',
    tamper: (path) => truncate(`${path}-wal`, 0),
    unseenByGlance: true,
    cut: true,
  },
  { what: 'its index removed', tamper: (path) => rm(`${path}-shm`) },
  { what: 'the mark removed', tamper: (path) => rm(`${path}.mark`) },
  { what: 'the mark replaced', tamper: (path) => replace(`${path}.mark`) },
  { what: 'the lock removed', tamper: (path) => rm(`${path}.lock`) },
  { what: 'the lock replaced', tamper: (path) => replace(`${path}.lock`) },
];

describe('a file of an open sqlite log that is not its own any more', () => {
  it.concurrent.each(CASES)('is noticed while nothing is appended: $what', async ({ tamper, cut }) => {
    const { folder, path, store, errors } = await openedLog();
    await tamper(path, folder);
    await vi.waitFor(() => expect(store.condition?.poison).toBeDefined(), { timeout: 20_000, interval: 20 });
    expect(store.condition?.poison).toMatchObject({
      code: 'LOG_UNAVAILABLE',
      message: expect.stringContaining('data'),
    });
    const refused = { outcome: 'failed', retryable: false, cause: store.condition?.poison };
    for (const at of [3, 3, 4]) expect(await store.append('pool-a', events(1), at)).toEqual(refused);
    if (cut === undefined) expect(await readBack(store, 'pool-a')).toHaveLength(4);
    expect(errors).toEqual(['the files of the log are not its own any more']);
    await store.close();
  });

  it.concurrent.each(CASES.filter(({ unseenByGlance }) => unseenByGlance === undefined))(
    'is noticed before the next acknowledgement: $what',
    async ({ tamper }) => {
      const { folder, path, store } = await openedLog();
      await tamper(path, folder);
      const { outcome } = await store.append('pool-a', events(1), 3);
      expect(['unknown', 'failed']).toContain(outcome); // failed: the look of each second came first
      expect(await store.append('pool-a', events(1), 3)).toMatchObject({ outcome: 'failed', retryable: false });
      await store.close();
    },
  );

  it('writes nothing to the file that took its place, nor removes what lies beside that', async () => {
    const [log, other] = [await openedLog(), await openedLog()];
    await rm(log.folder, { recursive: true });
    await other.store.close();
    const left = await openEventStore(`sqlite:${other.path}`); // stands for a copy that was put there with its write-ahead log
    await mustAppend(left, 'pool-a', events(1), 3);
    await rename(other.folder, log.folder);
    expect((await log.store.append('pool-a', events(1), 3)).outcome).not.toBe('appended');
    await log.store.close();
    expect((await stat(`${log.path}-wal`)).size).toBeGreaterThan(0);
    await left.close();
    const reader = await openEventStore(`sqlite:${log.path}`, { readOnly: true });
    expect(await readBack(reader, 'pool-a')).toHaveLength(5);
    await reader.close();
  });

  it('makes no snapshot appear where the log is gone', async () => {
    const { folder, store } = await openedLog();
    await rm(folder, { recursive: true });
    const snapshot = { revision: 3, schemaVersion: 1, codeVersion: 'x', parts: [{}] };
    await expect(store.snapshots.save('pool-a', snapshot)).rejects.toThrow(/ENOENT/);
    await store.close();
  });

  it('loses nothing if it was the write-ahead log alone', async () => {
    const { path, store } = await openedLog();
    await rm(`${path}-wal`);
    expect((await store.append('pool-a', events(1), 3)).outcome).not.toBe('appended');
    // As after a kill: the store that lost it is still open.
    await copyFile(path, `${path}.2`);
    const reader = await openEventStore(`sqlite:${path}.2`, { readOnly: true });
    expect((await readBack(reader, 'pool-a')).length).toBeGreaterThanOrEqual(4);
    await reader.close();
    await store.close();
  });

  it('is what a deleted lock makes of the first writer, before the second has appended', async () => {
    const { path, store } = await openedLog();
    await rm(`${path}.lock`);
    const second = await openEventStore(`sqlite:${path}`);
    expect(store.condition?.poison?.message).toMatch(/pool\.db\.lock is/);
    expect(await readBack(second, 'pool-a')).toHaveLength(4);
    await mustAppend(second, 'pool-a', events(1), 3);
    expect(await store.append('pool-a', events(1), 3)).toMatchObject({ outcome: 'failed' });
    await store.close();
    await mustAppend(second, 'pool-a', events(1), 4);
    expect(second.condition?.poison).toBeUndefined();
    await second.close();
  });

  it('is no file that comes and goes beside it', async () => {
    const { folder, store } = await openedLog();
    for (let i = 0; i < 5; i++) {
      await (await open(join(folder, `other-${i}`), 'w')).close();
      await mustAppend(store, 'pool-a', events(1), 3 + i);
    }
    await store.close();
  });
});

describe('a second name of an open sqlite log (hard link)', () => {
  it('is told of, and keeps nobody from going on: no other writer can come in by it', async () => {
    const warnings: string[] = [];
    const folder = join(root, `${++folders}`);
    mkdirSync(folder);
    const path = join(folder, 'pool.db');
    const logger = { ...SILENT, warn: (_: object, message: string) => void warnings.push(message) };
    const store = await openEventStore(`sqlite:${path}`, { logger });
    await mustAppend(store, 'pool-a', events(2), -1);
    await link(path, `${path}.link`);
    await vi.waitFor(() => expect(warnings.join()).toContain('hard links'), { timeout: 20_000 });
    await mustAppend(store, 'pool-a', events(2), 1);
    await expect(openEventStore(`sqlite:${path}.link`)).rejects.toMatchObject({ code: 'INVALID_CONFIG' });
    expect(store.condition?.poison).toBeUndefined();
    await store.close();
  });
});

describe('a batch that is found where its first try has left it', () => {
  it('is covered by the mark from then on, also where that try came to write none', async () => {
    const folder = join(root, `${++folders}`);
    mkdirSync(folder);
    const path = join(folder, 'pool.db');
    const batch = events(2);
    const first = await openEventStore(`sqlite:${path}`);
    await mustAppend(first, 'pool-a', batch, -1);
    await first.close();
    rmSync(markPath(path)); // as after a sync that failed in the first append of all
    const store = await openEventStore(`sqlite:${path}`);
    await mustAppend(store, 'pool-a', batch, -1);
    expect(readMark(markPath(path))).toMatchObject({ last: 2 });
    await mustAppend(store, 'pool-a', events(1), 1);
    expect(store.condition?.poison).toBeUndefined();
    await store.close();
  });
});
