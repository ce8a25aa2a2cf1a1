import { mkdtempSync } from 'node:fs';
import { copyFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { PAGE_CHARS, PAGE_EVENTS } from '../../../src/eventstore/ranges.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { eventStoreContract } from '../contract.ts';
import { event, events, mustAppend, readBack } from '../fixture.ts';

const newFolder = (): string => mkdtempSync(join(tmpdir(), 'rpm-sqlite-'));

eventStoreContract('sqlite:', async () => {
  const folder = newFolder();
  return {
    open: () => openEventStore(`sqlite:${join(folder, 'log.db')}`),
    dispose: () => rm(folder, { recursive: true }),
  };
});

describe('a page of a sqlite log', () => {
  it('is short where events are large, whatever lies between them, and none is missed', async () => {
    const folder = newFolder();
    const store = await openEventStore(`sqlite:${join(folder, 'log.db')}`);
    const sizes = Array.from({ length: 400 }, (_, n) => (n % 50 === 7 ? 300_000 : n > 200 ? 9_000 : 10));
    for (let n = 0; n < sizes.length; n += 40) {
      const batch = sizes.slice(n, n + 40).map((size) => event({ text: 'x'.repeat(size) }));
      await mustAppend(store, 'pool-a', batch, n - 1);
      await mustAppend(store, 'pool-b', [event({})], n / 40 - 1);
    }
    for (const read of [() => store.read('pool-a'), () => store.readAll()]) {
      const seen: number[] = [];
      for await (const page of read()) {
        const large = page.map(({ data }) => JSON.stringify(data).length);
        expect(large.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(PAGE_CHARS);
        expect(page.length).toBeLessThanOrEqual(PAGE_EVENTS);
        seen.push(...page.filter(({ stream }) => stream === 'pool-a').map(({ revision }) => revision));
      }
      expect(seen).toEqual(sizes.map((_, n) => n));
    }
    await store.close();
    await rm(folder, { recursive: true });
  });
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

describe('a sqlite log whose writer was killed', () => {
  it('opens though a reader keeps its WAL, and goes on', async () => {
    const folder = newFolder();
    const [path, left] = [join(folder, 'log.db'), join(folder, 'left.db')];
    const killed = await openEventStore(`sqlite:${path}`);
    await mustAppend(killed, 'pool-a', events(2), -1);
    for (const part of ['', '-wal', '.mark']) await copyFile(path + part, left + part);
    await killed.close();
    const reader = new DatabaseSync(left);
    reader.exec('BEGIN; SELECT * FROM events');
    const told: string[] = [];
    const logger = { ...SILENT, info: (_: unknown, message?: string) => void told.push(String(message)) };
    const next = await openEventStore(`sqlite:${left}`, { logger });
    expect(await readBack(next, 'pool-a')).toHaveLength(2);
    expect(told).toEqual([]);
    await mustAppend(next, 'pool-a', events(1), 1);
    expect(told).toEqual([expect.stringContaining('a reader keeps the WAL')]);
    reader.close();
    await next.close();
    const again = await openEventStore(`sqlite:${left}`, { logger });
    expect(await readBack(again, 'pool-a')).toHaveLength(3);
    expect(told).toHaveLength(1);
    await again.close();
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
