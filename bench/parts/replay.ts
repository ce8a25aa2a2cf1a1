/**
 * Replay of a log of 1 M events that keeps more than 10 000 leases live: the fold alone, with every projection, and end to end from
 * `sqlite:` (read, verified, parsed, folded), beside what reading and parsing alone cost. Then time travel over the same log:
 * the first walk, and seeks to random revisions and instants once it has been walked.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { evolve } from '../../src/domain/evolve.ts';
import { emptyState } from '../../src/domain/state.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import { readRange } from '../../src/eventstore/read-range.ts';
import type { EventStore } from '../../src/model/event-store.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { EventIndex } from '../../src/projections/event-index.ts';
import { fold } from '../../src/projections/fold.ts';
import { ownerOf } from '../../src/projections/leases.ts';
import { MetricsProjection } from '../../src/projections/metrics.ts';
import { UtilizationProjection } from '../../src/projections/utilization.ts';
import { replayLog } from '../../src/reading/replay-log.ts';
import { Timeline } from '../../src/replay/timeline.ts';
import { note, progress, summary, tell } from '../measure.ts';
import { longLog } from '../support/long-log.ts';
import { scratchFolder } from '../support/scratch.ts';

const EVENTS = 1_000_000;
const LIVE = 12_000;
const ROUNDS = 3;
const SEEKS = 300;
/** As objects they would fill a heap whose collection is no part of a replay. */
const IN_MEMORY = 200_000;
const BATCH = 4_096;
const STREAM = 'pool-default';
const STEPS = 1 + ROUNDS * 6 + SEEKS / 30;
let done = 0;
const step = (): void => progress(++done, STEPS);

const file = join(scratchFolder(), 'replay.db');
const store = await openEventStore(`sqlite:${file}`);
const events = await write(store);
step();
const source = (from: number, to: number) => readRange<RecordedPoolEvent>(store, STREAM, from, to);
await foldInMemory();
const floor = await floors();
const whole = await fromTheStore();
tell({ what: 'replay over reading and parsing alone', p50: whole / floor, unit: 'x' });
await timeTravel();
note(`${events} events, ${LIVE} leases live; p99 of a rate is its lowest of ${ROUNDS} rounds`);
await store.close();

async function write(to: EventStore): Promise<number> {
  let written = 0;
  let batch: RecordedPoolEvent[] = [];
  const flush = async (): Promise<void> => {
    const appended = await to.append(STREAM, batch, written - 1);
    if (appended.outcome !== 'appended') throw new Error(`the log could not be written: ${appended.outcome}`);
    written += batch.length;
    batch = [];
  };
  for (const made of longLog(EVENTS, LIVE)) {
    if (batch.length + made.length > BATCH) await flush();
    batch.push(...made);
  }
  await flush();
  return written;
}

async function foldInMemory(): Promise<void> {
  const pages: RecordedPoolEvent[][] = [];
  for await (const page of source(0, IN_MEMORY - 1)) pages.push([...page]);
  const alone = await rates(IN_MEMORY, () => {
    const state = emptyState();
    for (const page of pages) for (const event of page) evolve(state, event);
  });
  tell({ what: 'fold of the state, from objects', ...alone, unit: 'M/s' });
  const rebuilt = await rates(IN_MEMORY, () => {
    const state = emptyState();
    const index = new EventIndex((leaseId) => ownerOf(state, leaseId));
    const projections = [new MetricsProjection(), new UtilizationProjection(), index];
    for (const page of pages) fold(state, projections, page);
  });
  tell({ what: 'fold and every projection rebuilt, from objects', ...rebuilt, unit: 'M/s' });
}

/** What no replay of these rows can be faster than, as long as JSON.parse reads them; M/s. */
async function floors(): Promise<number> {
  const db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare(
    'SELECT position, event, checksum FROM events WHERE position BETWEEN ? AND ? ORDER BY position',
  );
  rows.setReturnArrays(true);
  const page = (first: number) => rows.all(first, first + 999) as unknown as [number, string, number][];
  const read = await rates(events, () => {
    for (let first = 1; first <= events; first += 1_000) page(first);
  });
  tell({ what: 'floor: the same rows by a bare sqlite read', ...read, unit: 'M/s' });
  const texts: string[] = [];
  for (let first = 1; first <= IN_MEMORY; first += 1_000) for (const [, text] of page(first)) texts.push(text);
  db.close();
  const parsed = await rates(texts.length, () => {
    for (const text of texts) JSON.parse(text);
  });
  tell({ what: 'floor: JSON.parse of every event, nothing else', ...parsed, unit: 'M/s' });
  return 1 / (1 / read.p50 + 1 / parsed.p50);
}

async function fromTheStore(): Promise<number> {
  const folded = await rates(events, async () => {
    const state = emptyState();
    for await (const page of source(0, Number.MAX_SAFE_INTEGER)) for (const event of page) evolve(state, event);
  });
  const bar = { is: 'at least', value: 1 } as const;
  tell({ what: 'replay from `sqlite:`, verified: the state', ...folded, unit: 'M/s', bar });
  const verified = await rates(2 * events, () => replayLog(source, events - 1, { verify: true }));
  tell({ what: '`replay --verify`: twice, with every projection and the hash', ...verified, unit: 'M/s' });
  return folded.p50;
}

async function timeTravel(): Promise<void> {
  const timeline = new Timeline(source);
  const began = performance.now();
  const { at: lastAt } = await timeline.poolAt({ revision: events - 1 });
  tell({ what: 'time travel: first walk over the log', p50: (performance.now() - began) / 1e3, unit: 's' });
  const { at: firstAt } = await timeline.poolAt({ revision: 0 });
  const random = randomOf(20261125);
  const seeks: number[] = [];
  for (let n = 0; n < SEEKS; n++) {
    const revision = Math.floor(random() * events);
    const at = Math.floor(firstAt + random() * (lastAt - firstAt));
    const started = performance.now();
    await timeline.poolAt(n % 2 === 0 ? { revision } : { at });
    seeks.push(performance.now() - started);
    if (n % 30 === 29) step();
  }
  const { p50, p99 } = summary(seeks);
  tell({ what: 'seek to a random revision or instant', p50, p99, unit: 'ms' });
  tell({ what: 'seek, p99', p50: p99, unit: 'ms', bar: { is: 'below', value: 50 } });
}

/** Events a second, in millions. Of a rate the bad tail is the low one. */
async function rates(count: number, run: () => unknown): Promise<{ p50: number; p99: number }> {
  const found: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    globalThis.gc?.();
    const began = performance.now();
    await run();
    found.push(count / 1e3 / (performance.now() - began));
    step();
  }
  return { p50: summary(found).p50, p99: Math.min(...found) };
}

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
