import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { look } from '../../../src/eventstore/sqlite/disk/look.ts';
import { WritableLog } from '../../../src/eventstore/sqlite/log.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { event, mustAppend } from '../fixture.ts';

const HEADER = 32;
const FRAME = 24 + 8_192;
const STREAM = 'pool-a-audit';
const ACKNOWLEDGED = 5;
const folder = mkdtempSync(join(tmpdir(), 'rpm-stale-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, end = ''): string => join(folder, `${name}.db${end}`);
const batch = (count: number) => Array.from({ length: count }, (_, n) => event({ n, pad: 'y'.repeat(3_000) }));
const frameAt = (frame: number): number => HEADER + frame * FRAME;
const framesOf = (wal: Buffer): number => Math.floor((wal.length - HEADER) / FRAME);

/** The write-ahead log after so many appends of a killed writer; and as it is after one more batch, of many or of few events. */
let [killed, many, few]: Buffer[] = [];

beforeAll(async () => {
  const store = await openEventStore(`sqlite:${file('log')}`);
  for (let n = 0; n < ACKNOWLEDGED; n++) await mustAppend(store, STREAM, batch(1), n - 1);
  for (const name of ['killed', 'many', 'few'])
    for (const end of ['', '-wal', '.mark']) copyFileSync(file('log', end), file(name, end));
  await store.close();
  killed = readFileSync(file('killed', '-wal'));
  many = goneOn('many', 40);
  few = goneOn('few', 8);
});

/** A reader keeps the log from being begun anew, so that its generation goes on. */
function goneOn(name: string, count: number): Buffer {
  const reader = new DatabaseSync(file(name), { readOnly: true });
  reader.exec('BEGIN; SELECT count(*) FROM events');
  const log = new WritableLog(file(name), SILENT);
  log.write(STREAM, batch(count));
  const wal = readFileSync(file(name, '-wal'));
  log.abandon();
  reader.close();
  return wal;
}

function lookAt(wal: Buffer): number | undefined {
  writeFileSync(file('killed', '-wal'), wal);
  const looked = look(file('killed'), SILENT);
  looked?.log.close();
  return looked?.log.end;
}

it('a batch that a power cut tore, over stale frames of one that was never finished, takes nothing acknowledged with it', () => {
  const first = framesOf(killed!);
  const unfinished = many!.subarray(0, frameAt(framesOf(many!) - 1)); // its last frame, which would have ended it, was never written
  expect(lookAt(unfinished)).toBe(ACKNOWLEDGED);
  const over = Buffer.from(unfinished);
  few!.copy(over, frameAt(first), frameAt(first));
  expect(framesOf(few!) - first).toBeGreaterThan(4);
  expect(lookAt(over)).toBe(ACKNOWLEDGED + 8);
  for (let missing = first; missing < framesOf(few!); missing++) {
    const torn = Buffer.from(over);
    unfinished.copy(torn, frameAt(missing), frameAt(missing), frameAt(missing + 1));
    expect(lookAt(torn), `frame ${missing}`).toBe(ACKNOWLEDGED);
  }
});

it('damage of a batch that had been synced is no such thing, whatever lies behind', () => {
  const acknowledged = Buffer.from(killed!);
  acknowledged[frameAt(framesOf(killed!) - 2) + 100]! ^= 1;
  expect(() => lookAt(acknowledged)).toThrow('acknowledged events are lost');
  rmSync(file('killed', '.mark')); // then the next transaction alone tells
  const over = Buffer.from(many!.subarray(0, frameAt(framesOf(many!) - 1)));
  few!.copy(over, 0);
  over[frameAt(framesOf(killed!) - 2) + 100]! ^= 1;
  expect(() => lookAt(over)).toThrow(`had come to ${ACKNOWLEDGED + 8}`);
});
