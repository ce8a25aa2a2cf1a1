/**
 * A store that tries one large batch, which may find no room, and goes on with small ones at the place of it. Notes what it tries and what
 * is acknowledged, as `worker.ts` does. Never leaves the thread in between, so that every run makes the same calls. Argument: the folder.
 */
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { event } from '../../eventstore/fixture.ts';

const STREAM = 'pool-a';
const BEFORE = [1, 1, 1];
const LARGE = 40;
const AFTER = Array.from({ length: 8 }, () => 6);
const [folder] = process.argv.slice(2) as [string];
const notes = openSync(join(folder, 'notes'), 'a');
const store = await openEventStore(`sqlite:${join(folder, 'log.db')}`);
let head = -1;
for (const count of [...BEFORE, LARGE, ...AFTER]) {
  const batch = Array.from({ length: count }, () => event('x'.repeat(3_000)));
  const ids = batch.map(({ id }) => id);
  const note = (did: 'try' | 'acknowledge') => writeSync(notes, `${JSON.stringify({ did, stream: STREAM, ids })}\n`);
  note('try');
  const { outcome } = await store.append(STREAM, batch, head);
  if (outcome === 'unknown' && count === LARGE) continue;
  if (outcome !== 'appended') throw new Error(`an append is answered ${outcome}`);
  note('acknowledge');
  head += count;
}
process.exit(0); // not closed: nothing is moved into the file
