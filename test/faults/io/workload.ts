import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openEventStore } from '../../../src/eventstore/open.ts';
import type { EventStore } from '../../../src/model/event-store.ts';
import { event, readBack } from '../../eventstore/fixture.ts';

/** What became of a workload: by stream the ids that were acknowledged, and those whose outcome nobody knows. */
export interface Outcome {
  readonly acknowledged: Record<string, string[]>;
  readonly unknown: { readonly stream: string; readonly ids: readonly string[] } | null;
  /** Reads that showed events whose append was still in doubt. */
  doubtfulReads: number;
  /** It went to its end. */
  readonly finished: boolean;
  /** An answer that may not be; empty = none. */
  readonly wrong: string[];
}

export interface Workload {
  /** Events of each append of each life of the store; `bytes` of ballast in each. */
  readonly lives: readonly (readonly number[])[];
  readonly bytes: number;
}

export const WORKLOADS: Readonly<Record<string, Workload>> = {
  small: {
    lives: [
      [1, 1, 5, 1],
      [1, 3],
    ],
    bytes: 50,
  },
  /** Appends of several pages, and a second life that begins with what the first left. */
  pages: { lives: [[20, 20, 1], [20, 1, 1], [1]], bytes: 900 },
  /** Enough for the WAL to be given its size ahead. */
  large: { lives: [[150, 150, 1, 1], [1]], bytes: 2_000 },
};

const TRIES = 4;

/** Writes, reads, closes and opens a store, as a manager does: what is unknown is tried again as it was, and whoever cannot open it stops. */
export async function runWorkload(folder: string, { lives, bytes }: Workload): Promise<Outcome> {
  const outcome: Outcome = { acknowledged: {}, unknown: null, doubtfulReads: 0, finished: false, wrong: [] };
  for (const life of lives) {
    const store = await openSoon(`sqlite:${join(folder, 'log.db')}`);
    if (store === undefined) return outcome;
    const unknown = await live(store, life, bytes, outcome);
    await store.close().catch(() => undefined);
    if (unknown !== null) return { ...outcome, unknown };
  }
  return { ...outcome, finished: true };
}

async function openSoon(url: string): Promise<EventStore | undefined> {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    try {
      return await openEventStore(url);
    } catch {}
  }
  return undefined;
}

async function live(store: EventStore, life: readonly number[], bytes: number, outcome: Outcome) {
  for (const [i, count] of life.entries()) {
    const stream = i % 3 === 2 ? 'pool-a-audit' : 'pool-a';
    outcome.acknowledged[stream] ??= [];
    const known = outcome.acknowledged[stream];
    const batch = Array.from({ length: count }, () => event('x'.repeat(bytes)));
    const ids = batch.map(({ id }) => id);
    for (let attempt = 1; ; attempt++) {
      const result = await store.append(stream, batch, known.length - 1);
      if (result.outcome === 'appended') break;
      if (result.outcome !== 'unknown') outcome.wrong.push(`an append is answered ${JSON.stringify(result)}`);
      await mustRead(store, stream, known, ids, outcome);
      if (attempt === TRIES) return { stream, ids };
    }
    known.push(...ids);
    await mustRead(store, stream, known, [], outcome);
    await turn(); // what the store does between appends
  }
  return null;
}

/** What is read is what was acknowledged, and perhaps all of what is unknown; or the store says that it cannot be read. */
async function mustRead(
  store: EventStore,
  stream: string,
  known: readonly string[],
  unknown: readonly string[],
  outcome: Outcome,
): Promise<void> {
  const wrong = (what: string) => outcome.wrong.push(`${stream}: ${what}`);
  try {
    const read = (await readBack(store, stream)).map(({ id }) => id).join();
    if (read === known.join()) return;
    if (read === [...known, ...unknown].join()) outcome.doubtfulReads += 1;
    else wrong(`what is read is not the ${known.length} events that were acknowledged: ${read}`);
  } catch (error) {
    if ((error as { code?: string }).code !== 'LOG_UNAVAILABLE') wrong(`reading fails with ${error}`);
  }
}
