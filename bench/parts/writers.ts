/**
 * One pool with 1, 2 and 4 managers, each a process of its own, over the server in test/support in another one: what they grant
 * together, how long an allocate takes, and how often an append was defeated by another writer's. `EVENTSTORE_URL` names another server.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { startEventStoreDb } from '../../test/support/eventstoredb/start.ts';
import { note, progress, summary, tell } from '../measure.ts';
import type { WriterReport } from '../support/writer.ts';

const WRITERS = [1, 2, 4];
/** At each writer: every program talks to the manager beside it. */
const CALLERS = 64;
const ROUNDS = 5;
const ROUND_MS = 2_000;
const WRITER = new URL('../support/writer.ts', import.meta.url);

const given = process.env['EVENTSTORE_URL'];
const server = given === undefined ? await startEventStoreDb({ fsync: true }) : undefined;
const url = given ?? server!.url;

interface Round {
  readonly grantsPerSecond: number;
  readonly allocateMs: readonly number[];
  readonly defeatsPerAppend: number;
  readonly eventsPerAppend: number;
  /** The grants of the writer that got the fewest, of those of the one that got the most. */
  readonly fairness: number;
}

async function start(poolId: string, callers: number): Promise<ChildProcess> {
  const child = fork(WRITER, [url, poolId, String(callers)]);
  child.once('exit', (code) => {
    if (code !== 0) throw new Error(`a writer ended with ${code}`);
  });
  await once(child, 'message'); // ready
  return child;
}

async function round(writers: number): Promise<Round> {
  const poolId = `bench-${randomUUID()}`;
  const children: ChildProcess[] = [];
  for (let i = 0; i < writers; i++) children.push(await start(poolId, CALLERS));
  const began = performance.now();
  for (const child of children) child.send('go');
  await sleep(ROUND_MS);
  const reports = children.map((child) => once(child, 'message'));
  for (const child of children) child.send('stop');
  const told = (await Promise.all(reports)).map(([report]) => report as WriterReport);
  const seconds = (performance.now() - began) / 1_000;
  await Promise.all(children.map((child) => child.exitCode ?? once(child, 'exit')));
  return sum(told, seconds);
}

function sum(reports: readonly WriterReport[], seconds: number): Round {
  for (const { failures } of reports)
    if (Object.keys(failures).length > 0) throw new Error(`callers were told ${JSON.stringify(failures)}`);
  const allocateMs = reports.flatMap((report) => report.allocateMs);
  const grants = reports.map((report) => report.allocateMs.length);
  const total = (of: (report: WriterReport) => number) => reports.reduce((all, report) => all + of(report), 0);
  const batches = total((report) => report.batches);
  return {
    grantsPerSecond: allocateMs.length / seconds,
    allocateMs,
    defeatsPerAppend: total((report) => report.conflicts) / batches,
    eventsPerAppend: total((report) => report.events) / batches,
    fairness: Math.min(...grants) / Math.max(...grants),
  };
}

try {
  const rounds = new Map<number, Round[]>(WRITERS.map((writers) => [writers, []]));
  for (let i = 0; i < ROUNDS * WRITERS.length; i++) {
    const writers = WRITERS[i % WRITERS.length]!;
    rounds.get(writers)!.push(await round(writers));
    progress(i + 1, ROUNDS * WRITERS.length);
  }
  for (const [writers, all] of rounds) {
    const who = `${writers} ${writers === 1 ? 'writer' : 'writers'}`;
    const median = (of: (one: Round) => number) => summary(all.map(of)).p50;
    tell({ what: `${who}: grants, all together`, p50: median((one) => one.grantsPerSecond) / 1_000, unit: 'k/s' });
    tell({ what: `${who}: allocate`, ...summary(all.flatMap((one) => one.allocateMs)), unit: 'ms' });
    if (writers === 1) continue;
    const alone = rounds.get(1)!;
    const ratios = all.map((one, i) => one.grantsPerSecond / alone[i]!.grantsPerSecond);
    tell({ what: `${who}: their grants over those of one writer`, p50: summary(ratios).p50, unit: 'x' });
    tell({
      what: `${who}: defeats for each append that landed`,
      p50: median((one) => one.defeatsPerAppend),
      unit: 'x',
    });
    note(
      `${who}: ${median((one) => one.eventsPerAppend).toFixed(1)} events to an append; the writer with the fewest grants had ${Math.round(100 * median((one) => one.fairness))} % of those of the one with the most`,
    );
  }
  note(
    `${CALLERS} callers at each writer, who allocate and release; ${ROUNDS} rounds of ${ROUND_MS / 1_000} s, ${WRITERS.join(', ')} writers in turn; no caller was refused`,
  );
} finally {
  await server?.stop();
}
