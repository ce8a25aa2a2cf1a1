/**
 * A store whose writes and syncs are traced. Notes in a file beside it what it tries to append and what was acknowledged, so that
 * the trace says what must have survived at each moment. Arguments: the folder, the seed.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { event } from '../../eventstore/fixture.ts';
import type { PowerNote } from './notes.ts';

const [folder, seed] = process.argv.slice(2) as [string, string];
const random = randomSource(Number(seed));
const notes = openSync(join(folder, 'notes'), 'a');
const note = (what: PowerNote) => writeSync(notes, `${JSON.stringify(what)}\n`);
/** Appends of each life; in the last there are enough for the WAL to be given its size ahead. */
const LIVES = [12, 10, 10, 25];
let snapshots = 0;
const heads = new Map<string, number>();

for (const appends of LIVES) {
  const store = await openEventStore(`sqlite:${join(folder, 'log.db')}`);
  for (let i = 0; i < appends; i++) {
    const stream = random() % 4 === 0 ? 'pool-a-audit' : 'pool-a';
    const head = heads.get(stream) ?? -1;
    const batch = Array.from({ length: 1 + (random() % 4) }, () => event('x'.repeat(random() % 1_500)));
    const ids = batch.map(({ id }) => id);
    note({ did: 'try', stream, ids });
    const result = await store.append(stream, batch, head);
    if (result.outcome !== 'appended') throw new Error(JSON.stringify(result));
    note({ did: 'acknowledge', stream, ids });
    heads.set(stream, result.revision);
    await turn();
    if (random() % 8 === 0) {
      snapshots += 1;
      const snapshot = { revision: snapshots, schemaVersion: 1, codeVersion: '1', parts: ['x'.repeat(5_000)] };
      await store.snapshots.save('pool-a', snapshot);
      note({ did: 'snapshot', revision: snapshots });
    }
  }
  await store.close();
}
closeSync(notes);
