import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { event, events, mustAppend, readBack } from '../fixture.ts';

const root = mkdtempSync(join(tmpdir(), 'rpm-locks-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let made = 0;
const SOON = { timeout: 30_000, interval: 20 };
const MIB = 2 ** 20;

/** A log of two events, what is logged of it, and another program's connection to it. */
async function openedLog() {
  const path = join(root, `${++made}.db`);
  const said: string[] = [];
  const say = (_: object, message: string) => void said.push(message);
  const store = await openEventStore(`sqlite:${path}`, { logger: { ...SILENT, info: say, warn: say, error: say } });
  await mustAppend(store, 'pool-a', events(2), -1);
  const other = new DatabaseSync(path, { timeout: 0 });
  const walBytes = () => statSync(`${path}-wal`).size;
  return { path, store, said, other, walBytes };
}

function longReader(path: string): DatabaseSync {
  const reader = new DatabaseSync(path, { readOnly: true });
  reader.exec('BEGIN; SELECT count(*) FROM events');
  return reader;
}

describe("another program's lock on a sqlite log", () => {
  it.concurrent.each([
    ['one event', 'pool-a', 1, 1],
    ['a batch', 'pool-a', 3, 1],
    ['another stream', 'pool-a-audit', 1, -1],
  ])(
    'is waited for, though a reader is in its transaction, and nobody hears of it: %s',
    async (_, stream, count, at) => {
      const { path, store, said, other } = await openedLog();
      const reader = longReader(path);
      other.exec('BEGIN IMMEDIATE');
      let answered = false;
      const appended = Promise.resolve(store.append(stream, events(count), at)).finally(() => {
        answered = true;
      });
      for (let i = 0; i < 5; i++) await turn();
      expect(answered).toBe(false);
      expect(await readBack(store, 'pool-a')).toHaveLength(2);
      other.exec('ROLLBACK');
      expect(await appended).toEqual({ outcome: 'appended', revision: at + count });
      expect(said).toEqual([]);
      reader.close();
      other.close();
      await store.close();
    },
  );

  it.concurrent('that stays is a definite no, told at once from then on, until it is gone', async () => {
    const { store, said, other } = await openedLog();
    other.exec('BEGIN EXCLUSIVE');
    const refused = await store.append('pool-a', events(1), 1);
    expect(refused).toMatchObject({ outcome: 'failed', retryable: true, cause: { code: 'LOG_UNAVAILABLE' } });
    expect(store.condition?.trouble?.message).toMatch(/another program holds the lock of .*\.db/);
    expect(await readBack(store, 'pool-a')).toHaveLength(2);
    other.exec('COMMIT');
    await vi.waitFor(() => expect(store.condition?.trouble).toBeUndefined(), SOON);
    await mustAppend(store, 'pool-a', events(1), 1);
    expect(said).toEqual([]);
    other.close();
    await store.close();
  });

  it.concurrent('while it is opened is waited for, too', async () => {
    const { path, store, other } = await openedLog();
    await store.close();
    other.exec('BEGIN IMMEDIATE');
    const opened = openEventStore(`sqlite:${path}`);
    for (let i = 0; i < 5; i++) await turn();
    other.exec('ROLLBACK');
    await mustAppend(await opened, 'pool-a', events(1), 1);
    await (await opened).close();
    other.close();
  });

  it.concurrent('after a write that failed: it goes on though a reader stays, and shows what is acknowledged', async () => {
    const { path, store, other } = await openedLog();
    const reader = longReader(path);
    other.exec("CREATE TRIGGER deny BEFORE INSERT ON events BEGIN SELECT raise(FAIL, 'denied'); END");
    const [one] = events(1);
    expect(await store.append('pool-a', [one!], 1)).toMatchObject({ outcome: 'unknown' });
    other.exec('DROP TRIGGER deny');
    expect(await store.append('pool-a', [one!], 1)).toEqual({ outcome: 'appended', revision: 2 });
    expect(await readBack(store, 'pool-a')).toHaveLength(3);
    reader.close();
    other.close();
    await store.close();
  });

  it.skipIf(process.platform !== 'linux')('is left alone by readers of the same process', async () => {
    const { path, store, other } = await openedLog();
    other.close();
    const inode = String(statSync(path).ino);
    const locks = () =>
      readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes(`:${inode} `));
    const held = locks().length;
    expect(held).toBeGreaterThan(0);
    const reader = await openEventStore(`sqlite:${path}`, { readOnly: true, whole: true });
    await readBack(reader, 'pool-a');
    await reader.close();
    await expect(openEventStore(`sqlite:${path}`)).rejects.toThrow(/is held by/);
    expect(locks()).toHaveLength(held);
    await store.close();
  });
});

describe('the write-ahead log of a sqlite log', () => {
  it.concurrent('that a reader keeps is told of once, moved when it has gone, and cut when nothing is appended', async () => {
    const { path, store, said, other, walBytes } = await openedLog();
    other.close();
    await mustAppend(store, 'pool-a', [event('x'.repeat(MIB))], 1);
    const reader = longReader(path);
    const big = Array.from({ length: 4 }, () => event('x'.repeat(MIB)));
    for (let i = 0; i < 10; i++) await mustAppend(store, 'pool-a', big, 2 + 4 * i);
    expect(walBytes()).toBeGreaterThan(40 * MIB);
    await vi.waitFor(() => expect(store.condition?.walGrown).toBe(true), SOON);
    expect(said).toEqual(['the write-ahead log cannot be moved into the file, a reader keeps it: it grows']);
    expect(store.condition?.walBytes).toBeGreaterThan(40 * MIB);
    await mustAppend(store, 'pool-a', events(1), 42);
    reader.close();
    await vi.waitFor(() => expect(store.condition?.walGrown).toBe(false), SOON);
    expect(walBytes()).toBeLessThanOrEqual(8 * MIB);
    expect(said).toHaveLength(2);
    await mustAppend(store, 'pool-a', events(1), 43);
    expect(await readBack(store, 'pool-a')).toHaveLength(45);
    await store.close();
    const again = await openEventStore(`sqlite:${path}`);
    expect(await readBack(again, 'pool-a')).toHaveLength(45);
    await again.close();
  });
});
