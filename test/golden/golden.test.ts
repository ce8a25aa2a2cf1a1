import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { SCHEMA_VERSIONS } from '../../src/model/events.ts';
import { VERSION } from '../../src/model/version.ts';
import { importLog, verifyExport } from '../../src/transfer/import.ts';
import { LineReader } from '../../src/transfer/lines.ts';
import { history, world } from '../manager/fixture.ts';

const folder = new URL('./', import.meta.url);
const versions = readdirSync(folder)
  .filter((file) => file.endsWith('.ndjson'))
  .map((file) => file.slice('v'.length, -'.ndjson'.length));
const textOf = (version: string): string => readFileSync(new URL(`v${version}.ndjson`, folder), 'utf8');
const pinned = JSON.parse(readFileSync(new URL('hashes.json', folder), 'utf8')) as Record<string, string>;

async function* linesOf(text: string): AsyncGenerator<string> {
  yield* text.split(/(?<=\n)/);
}

describe('the log of every released version', () => {
  it.each(versions)('%s folds to the state that is pinned for it', async (version) => {
    expect((await verifyExport(linesOf(textOf(version)), 'default')).sha256).toBe(pinned[version]);
  });

  it.each(versions)('%s is a pool that goes on', async (version) => {
    const store = new MemoryEventStore();
    const { events } = await importLog(store, 'default', linesOf(textOf(version)));
    const [last] = (await history(store)).filter((event) => event.type === 'ConfigChanged').slice(-1);
    const { manager } = world({ store, capacity: { memory: 100, cpu: 400 }, config: last!.data.config });
    await manager.ready();
    expect((await manager.getPool()).revision).toBeGreaterThanOrEqual(events);
    expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBeGreaterThan(1);
    await manager.dispose();
  });

  it(`of today's, ${VERSION}, holds every event of today's versions: record it anew before it is released`, () => {
    const reader = new LineReader();
    const seen = new Set<string>();
    for (const line of textOf(VERSION).split(/(?<=\n)/)) {
      const record = reader.record(line);
      if ('event' in record) seen.add(`${record.event.type} ${record.event.schemaVersion}`);
    }
    expect([...seen].sort()).toEqual(
      Object.entries(SCHEMA_VERSIONS)
        .map(([type, version]) => `${type} ${version}`)
        .sort(),
    );
  });
});
