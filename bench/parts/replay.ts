/**
 * Replay of a log of 1 M events that keeps 10 000 leases live: the fold alone, with every projection, and end to end from
 * `sqlite:` (read, verified, parsed, folded), beside what reading and parsing alone cost. Then time travel over the same log:
 * the first walk, and seeks to random revisions and instants once it has been walked.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { evolve } from '../../src/domain/evolve.ts';
import { emptyState } from '../../src/domain/state.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import { readRange } from '../../src/manager/log-streams.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { fold } from '../../src/projections/fold.ts';
import { LeaseHistoryProjection } from '../../src/projections/lease-history.ts';
import { MetricsProjection } from '../../src/projections/metrics.ts';
import { UtilizationProjection } from '../../src/projections/utilization.ts';
import { replay } from '../../src/replay/replay.ts';
import { Timeline } from '../../src/replay/timeline.ts';
import { note, progress, summary, tell } from '../measure.ts';
import { longLog } from '../support/long-log.ts';
import { scratchFolder } from '../support/scratch.ts';

const EVENTS = 1_000_000;
const LIVE = 10_000;
const ROUNDS = 5;
const SEEKS = 300;
const STREAM = 'pool-default';
const STEPS = 2 + ROUNDS * 5 + SEEKS / 30;
let done = 0;
const step = (): void => progress(++done, STEPS);

const file = join(scratchFolder(), 'replay.db');
const store = await openEventStore(`sqlite:${file}`);
const pages: RecordedPoolEvent[][] = [];
let events = 0;
for (const batch of longLog(EVENTS, LIVE)) {
  const appended = await store.append(STREAM, batch, events - 1);
  if (appended.outcome !== 'appended') throw new Error(`the log could not be written: ${appended.outcome}`);
  events += batch.length;
}
step();
for await (const page of readRange<RecordedPoolEvent>(store, STREAM, 0)) pages.push([...page]);
step();

/** Events a second, in millions. */
async function rate(run: () => unknown): Promise<number> {
  globalThis.gc?.();
  const began = performance.now();
  await run();
  step();
  return events / 1e3 / (performance.now() - began);
}

async function rates(run: () => unknown): Promise<{ p50: number; p99: number }> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) found.push(await rate(run));
  // Of a rate the bad tail is the low one.
  const { p50 } = summary(found);
  return { p50, p99: Math.min(...found) };
}

const source = (from: number, to: number) => readRange<RecordedPoolEvent>(store, STREAM, from, to);
const db = new DatabaseSync(file, { readOnly: true });
const all = db.prepare('SELECT * FROM events ORDER BY position');
all.setReturnArrays(true);
const texts = (all.all() as unknown as unknown[][]).map((row) => [row[7], row[8]] as [string, string]);

const foldOnly = await rates(() => {
  const state = emptyState();
  for (const page of pages) for (const event of page) evolve(state, event);
});
tell({ what: 'fold of the state, from objects', ...foldOnly, unit: 'M/s' });
const rebuilt = await rates(() => {
  const state = emptyState();
  const projections = [new MetricsProjection(), new UtilizationProjection(), new LeaseHistoryProjection()];
  for (const page of pages) fold(state, projections, page);
});
tell({ what: 'fold and every projection rebuilt, from objects', ...rebuilt, unit: 'M/s' });
pages.length = 0;
const parsed = await rates(() => {
  for (const [data, metadata] of texts) {
    JSON.parse(data);
    JSON.parse(metadata);
  }
});
tell({ what: 'floor: JSON.parse of data and metadata, nothing else', ...parsed, unit: 'M/s' });
texts.length = 0;
const read = await rates(() => {
  let rows = 0;
  for (const _ of all.iterate()) rows += 1;
  return rows;
});
tell({ what: 'floor: the same rows by a bare sqlite read', ...read, unit: 'M/s' });
const whole = await rates(() => replay(source));
tell({
  what: 'replay from `sqlite:`, verified, every projection rebuilt',
  ...whole,
  unit: 'M/s',
  bar: { is: 'at least', value: 1 },
});
const floor = 1 / (1 / read.p50 + 1 / parsed.p50);
tell({ what: 'replay over reading and parsing alone', p50: whole.p50 / floor, unit: 'x' });
db.close();

const timeline = new Timeline(source);
const began = performance.now();
await timeline.poolAt({ revision: events - 1 });
tell({ what: 'time travel: first walk over the log', p50: (performance.now() - began) / 1e3, unit: 's' });
const firstAt = (await timeline.poolAt({ revision: 0 })).at;
const lastAt = (await timeline.poolAt({ revision: events - 1 })).at;
const random = randomOf(20261125);
const seeks: number[] = [];
for (let n = 0; n < SEEKS; n++) {
  const moment =
    n % 2 === 0
      ? { revision: Math.floor(random() * events) }
      : { at: Math.floor(firstAt + random() * (lastAt - firstAt)) };
  const started = performance.now();
  await timeline.poolAt(moment);
  seeks.push(performance.now() - started);
  if (n % 30 === 29) step();
}
tell({ what: 'seek to a random revision or instant', ...summary(seeks), unit: 'ms' });
tell({
  what: 'seek, p99',
  p50: summary(seeks).p99,
  unit: 'ms',
  bar: { is: 'below', value: 50 },
});
note(`${events} events, ${LIVE} leases live; p99 of a rate is its lowest of ${ROUNDS} rounds`);
await store.close();

/** Mulberry32 (Tommy Ettinger). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
