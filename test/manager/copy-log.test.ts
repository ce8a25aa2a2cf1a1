import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { publish } from '../../src/eventstore/copy.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import { SqliteFile } from '../../src/eventstore/sqlite-file.ts';
import { backupLog, repairLog } from '../../src/manager/transfer/copy-log.ts';
import { events, mustAppend } from '../eventstore/fixture.ts';

/** What the disk says is free; undefined = the truth. */
const disk = vi.hoisted(() => ({ freeBytes: undefined as number | undefined }));
vi.mock('../../src/eventstore/wal.ts', async (original) => {
  const wal = await original<typeof import('../../src/eventstore/wal.ts')>();
  return { ...wal, freeBytes: (path: string) => disk.freeBytes ?? wal.freeBytes(path) };
});

const STREAM = 'pool-a-audit';
let folder: string;
const url = (name: string): string => `sqlite:${join(folder, name)}`;
const file = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rpm-copy-'));
  const store = await openEventStore(url('a.db'));
  await mustAppend(store, STREAM, events(20), -1);
  await store.close();
});
afterEach(() => {
  disk.freeBytes = undefined;
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const started = (name: string): string[] => readdirSync(folder).filter((one) => one.startsWith(name));

describe('a copy that cannot be finished', () => {
  it('for want of room is refused with how much it takes, and no file is there', async () => {
    disk.freeBytes = 50_000;
    await expect(repairLog(url('a.db'), file('new.db'))).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
      message: expect.stringMatching(/the disk is full: 50000 bytes are free, and it takes \d{5,}/),
    });
    expect(started('new.db')).toEqual([]);
  });

  it.each(['held', 'noRoom'] as const)(
    'as its write-ahead log is %s is refused, and no file is there',
    async (ended) => {
      vi.spyOn(SqliteFile.prototype, 'checkpoint').mockReturnValue(ended);
      for (const make of [backupLog, repairLog]) {
        await expect(make(url('a.db'), file('new.db'))).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
        expect(started('new.db')).toEqual([]);
      }
    },
  );

  it.each(['-wal', '-journal'])('is given no name while a part of it lies in its %s', (end) => {
    writeFileSync(file('new.db.part'), 'file');
    writeFileSync(file(`new.db.part${end}`), 'more');
    expect(() => publish(file('new.db.part'), file('new.db'))).toThrow(`not whole by itself: a part of it lies in`);
    expect(existsSync(file('new.db'))).toBe(false);
  });
});
