import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';
import { publish } from '../../src/eventstore/sqlite/copy/copy.ts';
import { SqliteFile } from '../../src/eventstore/sqlite/file.ts';
import { sqliteUrl } from '../../src/eventstore/sqlite/url.ts';
import { backupLog, repairLog } from '../../src/transfer/copy-log.ts';
import { events, mustAppend } from '../eventstore/fixture.ts';

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
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const started = (name: string): string[] => readdirSync(folder).filter((one) => one.startsWith(name));

describe('a copy that cannot be finished', () => {
  it.each([
    ['held', /cannot be made whole: another program reads it/],
    ['noRoom', /cannot be made whole: the disk is full: \d+ bytes are free, and it takes \d+$/],
  ] as const)('as its write-ahead log is %s is refused, and no file is there', async (ended, message) => {
    vi.spyOn(SqliteFile.prototype, 'checkpoint').mockReturnValue(ended);
    for (const make of [backupLog, repairLog]) {
      const refused = { code: 'LOG_UNAVAILABLE', message: expect.stringMatching(message) };
      await expect(make(url('a.db'), file('new.db'))).rejects.toMatchObject(refused);
      expect(started('new.db')).toEqual([]);
    }
  });

  it.each(['-wal', '-journal'])('is given no name while a part of it lies in its %s', (end) => {
    writeFileSync(file('new.db.part'), 'file');
    writeFileSync(file(`new.db.part${end}`), 'more');
    expect(() => publish(file('new.db.part'), file('new.db'))).toThrow(`not whole by itself: a part of it lies in`);
    expect(existsSync(file('new.db'))).toBe(false);
  });
});

describe('the name of a copy', () => {
  it.each(['b?1.db', 'b#1 %.db', 'file:b.db'])('may be %s, and is that of what was read through', async (name) => {
    for (const make of [backupLog, repairLog]) {
      const to = file(name);
      await make(url('a.db'), to, { tokenFloor: 5_000 });
      expect(started(name)).toEqual([name]);
      const copy = await openEventStore(sqliteUrl(to), { readOnly: true });
      expect(copy.traits.restored).toMatchObject({ floor: 5_000 });
      await copy.close();
      rmSync(to);
    }
  });

  it.each(['sqlite:b.db', 'file:b.db', 'file:///b.db'])(
    'is a path: %s is refused, and nothing is written',
    async (to) => {
      for (const make of [backupLog, repairLog])
        await expect(make(url('a.db'), to)).rejects.toMatchObject({
          code: 'INVALID_REQUEST',
          message: expect.stringContaining(`(./${to} for a file of that name)`),
        });
      expect(started('b')).toEqual([]);
    },
  );
});
