import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { backupLog, repairLog } from '../../../src/transfer/copy-log.ts';
import { collect, event, mustAppend } from '../../eventstore/fixture.ts';
import { type Counts, Tally } from '../share.ts';
import { SmallDisk } from './small-disk.ts';

const EVENTS = 1_500;
const FROM_BYTES = 900 * 2 ** 10;
const TO_BYTES = 2_600 * 2 ** 10;
const STEP_BYTES = 40 * 2 ** 10;

/** Backs up and repairs a log onto disks from too small to large enough: what is published holds what was reported, else nothing is. */
export async function copiesRun(): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'rpm-copied-'));
  const tally = new Tally();
  try {
    const url = `sqlite:${join(folder, 'log.db')}`;
    const store = await openEventStore(url);
    const batch = Array.from({ length: EVENTS }, (_, n) => event({ n, pad: 'x'.repeat(400) }));
    await mustAppend(store, 'pool-a-audit', batch, -1);
    await store.close();
    for (let bytes = FROM_BYTES; bytes <= TO_BYTES; bytes += STEP_BYTES) {
      await copied(bytes, tally, 'repaired', async (to) => (await repairLog(url, to)).kept);
      await copied(bytes, tally, 'backed up', async (to) => (await backupLog(url, to)).events);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return tally.counts;
}

async function copied(bytes: number, tally: Tally, done: string, copy: (to: string) => Promise<number>): Promise<void> {
  const disk = new SmallDisk(bytes);
  const to = join(disk.folder, 'new.db');
  try {
    const reported = await copy(to).catch((error: Error) => error);
    if (reported instanceof Error) {
      if (!/full|no space left/.test(reported.message)) throw reported;
      if (existsSync(to)) throw new Error(`of ${bytes} bytes of disk: refused, and a file is there`);
      tally.add(`not ${done}`);
      return;
    }
    const store = await openEventStore(`sqlite:${to}`, { readOnly: true, whole: true });
    const found = (await collect(store.readAll())).length;
    await store.close();
    if (found !== reported) throw new Error(`of ${bytes} bytes of disk: ${reported} events reported, ${found} there`);
    tally.add(done);
  } finally {
    disk.remove();
  }
}
