/**
 * A store whose process is killed as soon as a write of it fails, or after some appends. It notes what it finds and what is
 * acknowledged, as `worker.ts` does. Argument: the folder.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { event, readBack } from '../../eventstore/fixture.ts';

const STREAM = 'pool-a';
const APPENDS = 8;
const [folder] = process.argv.slice(2) as [string];
const notes = openSync(join(folder, 'notes'), 'a');
const note = (did: 'found' | 'try' | 'acknowledge', ids: readonly string[]) =>
  writeSync(notes, `${JSON.stringify({ did, stream: STREAM, ids })}\n`);

const die = (): never => {
  process.kill(process.pid, 'SIGKILL');
  throw new Error('it was to be killed');
};

/** The store tells of a failed write before it does anything about it. */
const logger = { ...SILENT, error: die };
const store = await openEventStore(`sqlite:${join(folder, 'log.db')}`, { logger }).catch(die);
const found = (await readBack(store, STREAM)).map(({ id }) => id);
note('found', found);
for (let head = found.length - 1, i = 0; i < APPENDS; i++) {
  const batch = [event('x'.repeat(700)), event('y')];
  const ids = batch.map(({ id }) => id);
  note('try', ids);
  const { outcome } = await store.append(STREAM, batch, head);
  if (outcome !== 'appended') throw new Error(`an append is answered ${outcome}`);
  note('acknowledge', ids);
  head += ids.length;
}
die();
