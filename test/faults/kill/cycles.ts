import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { programPath } from '../launch.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { type Note, type Phase, readNotes } from './acks.ts';
import { Killed } from './killed.ts';
import { LogBook } from './log-book.ts';

/** Of one store; then another is begun, so that reading it all after each kill stays cheap. */
const CYCLES_OF_A_STORE = 20;

export const ACKNOWLEDGED: ReadonlySet<string> = new Set(['granted', 'renewed', 'released', 'replayed', 'found']);

/** Where a process is killed: so many ms at most after it entered a phase. */
const PLANS: readonly { readonly after: Phase; readonly withinMs: number }[] = [
  { after: 'serving', withinMs: 120 },
  { after: 'serving', withinMs: 20 },
  { after: 'opening', withinMs: 40 },
  { after: 'snapshot begun', withinMs: 2 },
];

/** What a file of a store, a killed process after another, went through, and all that its callers were told. */
export class KillSite {
  readonly folder = mkdtempSync(join(tmpdir(), 'rpm-kill-'));
  readonly path = join(this.folder, 'pool.db');
  readonly notesPath = join(this.folder, 'notes');
  readonly book = new LogBook();
  #notes = 0;

  /** Holds the log, as the kill left it, against what was noted since the last look. Reads a copy: the next process gets the original. */
  async look(notes: readonly Note[]): Promise<readonly Note[]> {
    const copy = join(this.folder, 'copy');
    rmSync(copy, { recursive: true, force: true });
    mkdirSync(copy);
    for (const end of ['', '-wal', '.mark'])
      if (existsSync(`${this.path}${end}`)) copyFileSync(`${this.path}${end}`, join(copy, `pool.db${end}`));
    const fresh = notes.slice(this.#notes);
    const begun = this.book.events > 0 || fresh.some(({ did }) => ACKNOWLEDGED.has(did));
    if (begun) await this.book.read(`sqlite:${join(copy, 'pool.db')}`); // before, the kill may have come before there was a log
    for (const note of fresh) this.book.bearOut(note);
    this.#notes = notes.length;
    return fresh;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Kills a pool manager at random instants, over and over, and looks after each kill. */
export async function killRun(share: Share): Promise<Counts> {
  const random = randomSource(share.seed + share.part);
  const tally = new Tally();
  let site: KillSite | undefined;
  for (let cycle = 0, done = 0; cycle < share.count; cycle++) {
    if (!mine(cycle, share)) continue;
    if (done++ % CYCLES_OF_A_STORE === 0) {
      site?.remove();
      site = new KillSite();
    }
    await killOnce(site!, random, tally).catch((error: unknown) => {
      throw new Error(`cycle ${cycle} in ${site!.folder}: ${error}`, { cause: error });
    });
  }
  site?.remove();
  return tally.counts;
}

async function killOnce(site: KillSite, random: () => number, tally: Tally): Promise<void> {
  const plan = PLANS[random() % PLANS.length]!;
  const process = new Killed(programPath('kill-worker'), [
    `sqlite:${site.path}`,
    site.notesPath,
    String(random()),
    'killed',
  ]);
  await process.said(plan.after);
  await sleep(random() % (plan.withinMs + 1));
  await process.kill();
  const fresh = await site.look(readNotes(site.notesPath));
  tally.add('kills');
  tally.add(`killed in: ${placeOf(fresh)}`);
  for (const note of fresh) if (ACKNOWLEDGED.has(note.did)) tally.add(`acknowledged: ${note.did}`);
}

function placeOf(notes: readonly Note[]): string {
  const last = notes.findLast((note) => note.did === 'phase')?.phase;
  return last === 'opening' ? 'recovery' : last === 'snapshot begun' ? 'a snapshot' : 'load';
}
