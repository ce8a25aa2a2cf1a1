import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import { TOKEN_JUMP } from '../../src/model/values/tokens.ts';
import { backupLog, repairLog } from '../../src/transfer/copy-log.ts';
import { exportLog } from '../../src/transfer/export.ts';
import { importLog } from '../../src/transfer/import.ts';
import { world } from '../manager/fixture.ts';

const ASKED = 2 ** 50;
let folder: string;
const file = (name: string): string => join(folder, name);
const url = (name: string): string => `sqlite:${file(name)}`;

/** Tokens that the pool of a log gives when it is served. */
async function served(name: string): Promise<number[]> {
  const store = await openEventStore(url(name));
  const { manager } = world({ store });
  const tokens: number[] = [];
  for (let i = 0; i < 3; i++) tokens.push((await manager.allocate({ requirements: { memory: 1 } })).token);
  await manager.dispose();
  await store.close();
  return tokens;
}

async function floorOf(name: string): Promise<number | null | undefined> {
  const store = await openEventStore(url(name), { readOnly: true });
  await store.close();
  return store.traits.restored?.floor;
}

async function* exported(name: string): AsyncGenerator<string> {
  const store = await openEventStore(url(name), { readOnly: true });
  for await (const text of exportLog(store, 'default')) yield* text.split(/(?<=\n)/).filter((line) => line !== '');
  await store.close();
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rpm-floors-'));
  await served('a.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const TOO_LOW = {
  code: 'INVALID_REQUEST',
  message: expect.stringMatching(`token floor: ${ASKED - 1} is not allowed; .*not below ${ASKED}:`),
};

describe('a copy that was made with a token floor and never served', () => {
  beforeEach(async () => {
    await backupLog(url('a.db'), file('b.db'), { tokenFloor: ASKED });
  });

  it('is backed up with a floor above that one, and no lower one is taken', async () => {
    await expect(backupLog(url('b.db'), file('c.db'), { tokenFloor: ASKED - 1 })).rejects.toMatchObject(TOO_LOW);
    await backupLog(url('b.db'), file('c.db'));
    expect(await floorOf('c.db')).toBe(ASKED + TOKEN_JUMP);
    await backupLog(url('b.db'), file('d.db'), { tokenFloor: ASKED + 100 });
    expect(await floorOf('d.db')).toBe(ASKED + 100);
    expect(await served('b.db')).toEqual([ASKED + 1, ASKED + 2, ASKED + 3]);
    expect((await served('d.db'))[0]).toBe(ASKED + 101);
  });

  it('is repaired into a log that begins above that one, and no lower one is taken', async () => {
    await expect(repairLog(url('b.db'), file('c.db'), { tokenFloor: ASKED - 1 })).rejects.toMatchObject(TOO_LOW);
    expect((await repairLog(url('b.db'), file('c.db'))).tokenFloor).toBe(ASKED + TOKEN_JUMP);
    expect((await served('c.db'))[0]).toBe(ASKED + TOKEN_JUMP + 1);
  });

  it('is exported with it: an import begins above it, and takes no lower one', async () => {
    const to = new MemoryEventStore();
    const low = importLog(to, 'default', exported('b.db'), { tokenFloor: ASKED - 1 });
    await expect(low).rejects.toMatchObject(TOO_LOW);
    await importLog(to, 'default', exported('a.db'));
    expect((await importLog(to, 'default', exported('b.db'))).tokenFloor).toBe(ASKED + TOKEN_JUMP);
    expect((await importLog(to, 'default', exported('b.db'))).tokenFloor).toBe(ASKED + TOKEN_JUMP);
  });

  it('once it is served has all that it gave in its events', async () => {
    await served('b.db');
    const last = ASKED + 3;
    await backupLog(url('b.db'), file('c.db'), { tokenFloor: last });
    expect((await repairLog(url('b.db'), file('d.db'), { tokenFloor: last })).tokenFloor).toBe(last);
    const { tokenFloor } = await importLog(new MemoryEventStore(), 'default', exported('b.db'), { tokenFloor: last });
    expect(tokenFloor).toBe(last);
  });
});

describe('a copy that was made with the usual floor and never served', () => {
  beforeEach(async () => {
    await backupLog(url('a.db'), file('b.db'));
    expect(await floorOf('b.db')).toBeNull();
  });

  it('gives no token that a backup, a repair or an import of it gives', async () => {
    await backupLog(url('b.db'), file('c.db'));
    await repairLog(url('b.db'), file('d.db'));
    const store = await openEventStore(url('e.db'));
    await importLog(store, 'default', exported('b.db'));
    await store.close();
    const own = await served('b.db');
    for (const name of ['c.db', 'd.db', 'e.db'])
      for (const token of await served(name)) expect(own, name).not.toContain(token);
  });
});
