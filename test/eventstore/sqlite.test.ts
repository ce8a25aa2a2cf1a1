import { mkdtempSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';
import { eventStoreContract } from './contract.ts';
import { events, mustAppend, readBack } from './fixture.ts';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'rpm-sqlite-'));

eventStoreContract('sqlite:', async () => {
  const folder = newFolder();
  return {
    open: () => openEventStore(`sqlite:${join(folder, 'log.db')}`),
    dispose: () => rm(folder, { recursive: true }),
  };
});

describe('the writer of a sqlite log', () => {
  it('is one: a second is told who holds it, a standby takes over', async () => {
    const folder = newFolder();
    const url = `sqlite:${join(folder, 'log.db')}`;
    const first = await openEventStore(url);
    const second = openEventStore(url);
    await expect(second).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', details: { holder: { pid: process.pid } } });
    const abort = new AbortController();
    const givenUp = openEventStore(url, { standby: true, signal: abort.signal });
    abort.abort();
    await expect(givenUp).rejects.toThrow(/abort/i);
    const standby = openEventStore(url, { standby: true });
    await first.close();
    await (await standby).close();
    await rm(folder, { recursive: true });
  });
});

describe('the lock of a sqlite log', () => {
  it('that is damaged is refused with its name and what to do about it; deleted, the log opens as it was', async () => {
    const folder = newFolder();
    const path = join(folder, 'log.db');
    const first = await openEventStore(`sqlite:${path}`);
    await mustAppend(first, 'pool-a', events(2), -1);
    await first.close();
    await writeFile(`${path}.lock`, 'x'.repeat(4_096));
    await expect(openEventStore(`sqlite:${path}`)).rejects.toThrow(/log\.db\.lock cannot be locked: .*may be deleted/);
    await rm(`${path}.lock`);
    const second = await openEventStore(`sqlite:${path}`);
    expect(await readBack(second, 'pool-a')).toHaveLength(2);
    await second.close();
    await rm(folder, { recursive: true });
  });
});
