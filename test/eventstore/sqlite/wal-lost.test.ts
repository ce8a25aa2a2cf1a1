import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { SqliteFile } from '../../../src/eventstore/sqlite/file.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { events, mustAppend } from '../fixture.ts';

it.each([
  ['done', 'has been moved into the file'],
  ['noRoom', 'could not be moved into the file whole'],
  ['held', 'could not be moved into the file whole'],
] as const)('of a write-ahead log that lost its name is told what became of it: %s', async (ended, became) => {
  const folder = mkdtempSync(join(tmpdir(), 'rpm-lost-'));
  const path = join(folder, 'log.db');
  const told: unknown[] = [];
  const logger = { ...SILENT, warn: (_fields: unknown, message?: string) => void told.push(message) };
  const store = await openEventStore(`sqlite:${path}`, { logger });
  await mustAppend(store, 'pool-a', events(2), -1);
  rmSync(`${path}-wal`);
  const checkpoint = vi.spyOn(SqliteFile.prototype, 'checkpoint').mockReturnValue(ended);
  await store.append('pool-a', events(1), 1);
  checkpoint.mockRestore();
  expect(told).toEqual([`the write-ahead log lost its name, and ${became}`]);
  await store.close();
  rmSync(folder, { recursive: true });
});
