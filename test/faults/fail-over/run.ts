import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isPoolError } from '../../../src/model/errors.ts';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../../support/eventstoredb/start.ts';
import { type Note, readNotes } from '../kill/acks.ts';
import { ACKNOWLEDGED } from '../kill/cycles.ts';
import { Killed } from '../kill/killed.ts';
import { LogBook } from '../kill/log-book.ts';
import { programPath } from '../launch.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';

/** Of one pool; then another is begun, so that reading it all after each kill stays cheap. */
const TAKEOVERS_OF_A_POOL = 10;
/** How long the manager that is left may take until it acknowledges something: far more than it needs. */
const GOES_ON_MS = 60_000;

/** One of the managers of a pool: a process after another under one name. */
class Manager {
  readonly notesPath: string;
  readonly #name: string;
  readonly #url: string;
  process: Killed;
  #seen = 0;

  constructor(folder: string, name: string, url: string, seed: number) {
    this.notesPath = join(folder, `notes-${name}`);
    this.#name = name;
    this.#url = url;
    this.process = this.start(seed);
  }

  start(seed: number): Killed {
    this.process = new Killed(programPath('kill-worker'), [
      this.#url,
      this.notesPath,
      String(seed),
      this.#name,
      '--rest=50',
    ]);
    return this.process;
  }

  /** What its callers were told since the last look. */
  fresh() {
    const fresh = readNotes(this.notesPath).slice(this.#seen);
    this.#seen += fresh.length;
    return fresh;
  }

  /** Answers that stand in the log. A wait that expired is one: the pool may be full of what the other has granted. */
  get acknowledged(): number {
    const waited = (note: Note) => note.did === 'refused' && note.code === 'WAIT_EXPIRED';
    return readNotes(this.notesPath).filter((note) => ACKNOWLEDGED.has(note.did) || waited(note)).length;
  }
}

/** Two managers on one pool, over one server that speaks EventStoreDB's protocol. */
class Site {
  readonly folder = mkdtempSync(join(tmpdir(), 'rpm-takeover-'));
  readonly managers: readonly [Manager, Manager];
  readonly #server: EventStoreDbProcess;
  readonly #book = new LogBook();

  constructor(server: EventStoreDbProcess, random: () => number) {
    this.#server = server;
    const make = (name: string) => new Manager(this.folder, name, server.url, random());
    this.managers = [make('a'), make('b')];
  }

  /** Holds the log against what callers were told, at both managers, before it was read. */
  async look(tally: Tally): Promise<void> {
    const fresh = this.managers.flatMap((manager) => manager.fresh());
    await this.#read();
    for (const note of fresh) {
      this.#book.bearOut(note);
      if (ACKNOWLEDGED.has(note.did)) tally.add(`acknowledged: ${note.did}`);
    }
  }

  /** A log is long and the machine may be busy: a read that breaks off is begun again. */
  async #read(tries = 10): Promise<void> {
    try {
      await this.#book.read(this.#server.url);
    } catch (error) {
      if (!isPoolError(error) || error.code !== 'LOG_UNAVAILABLE' || tries === 1) throw error;
      await this.#read(tries - 1);
    }
  }

  async remove(): Promise<void> {
    await Promise.all(this.managers.map(({ process }) => process.kill().catch(() => undefined)));
    await this.#server.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Kills one of two managers of a pool, over and over: the other goes on, and a new one joins it. */
export async function failOverRun(share: Share): Promise<Counts> {
  const random = randomSource(share.seed + share.part);
  const tally = new Tally();
  let site: Site | undefined;
  try {
    for (let cycle = 0, done = 0; cycle < share.count; cycle++) {
      if (!mine(cycle, share)) continue;
      if (done++ % TAKEOVERS_OF_A_POOL === 0) {
        await site?.remove();
        site = new Site(await startEventStoreDb({ fsync: false }), random);
      }
      await takeOver(site!, random, tally).catch((error: unknown) => {
        throw new Error(`takeover ${cycle}: ${error}`, { cause: error });
      });
    }
  } finally {
    await site?.remove();
  }
  return tally.counts;
}

async function takeOver(site: Site, random: () => number, tally: Tally): Promise<void> {
  await Promise.all(site.managers.map(({ process }) => process.said('serving')));
  const [victim, left] = random() % 2 === 0 ? site.managers : site.managers.toReversed();
  await sleep(random() % 150);
  await victim!.process.kill();
  const before = left!.acknowledged;
  const tookMs = await goesOn(left!, before);
  tally.add('takeovers');
  tally.add(tookMs <= 100 ? 'gone on within 100 ms' : tookMs <= 1_000 ? 'gone on within 1 s' : 'gone on later');
  await site.look(tally);
  victim!.start(random());
}

/** How long it took until the manager that is left acknowledged something again, ms. */
async function goesOn(left: Manager, before: number): Promise<number> {
  const began = performance.now();
  for (let tookMs = 0; tookMs < GOES_ON_MS; tookMs = performance.now() - began) {
    if (left.acknowledged > before) return tookMs;
    await sleep(5);
  }
  const last = readNotes(left.notesPath).slice(-8);
  throw new Error(`the manager that is left acknowledged nothing for ${GOES_ON_MS} ms after ${JSON.stringify(last)}`);
}
