import { setTimeout as sleep } from 'node:timers/promises';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { programPath } from '../launch.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { readNotes } from './acks.ts';
import { ACKNOWLEDGED, KillSite } from './cycles.ts';
import { Killed } from './killed.ts';

const TAKEOVERS_OF_A_STORE = 10;
/** A takeover that takes longer is counted as late. */
const LATE_MS = 1_000;

interface Writer {
  readonly process: Killed;
  ready: boolean;
}

/** A writer under load and one that stands by: the writer is killed, the other takes over and gets a standby of its own. */
export async function takeoverRun(share: Share): Promise<Counts> {
  const random = randomSource(share.seed + share.part);
  const tally = new Tally();
  let site: KillSite | undefined;
  let writer: Writer | undefined;
  for (let cycle = 0, done = 0; cycle < share.count; cycle++) {
    if (!mine(cycle, share)) continue;
    if (done++ % TAKEOVERS_OF_A_STORE === 0) {
      await end(writer, site, tally);
      site = new KillSite();
      writer = start(site, random);
      await writer.process.said('serving');
    }
    writer = await takeOver(site!, writer!, random, tally).catch((error: unknown) => {
      throw new Error(`takeover ${cycle} in ${site!.folder}: ${error}`, { cause: error });
    });
  }
  await end(writer, site, tally);
  return tally.counts;
}

/** Kills the last writer and holds the log against all that anyone of them acknowledged. */
async function end(writer: Writer | undefined, site: KillSite | undefined, tally: Tally): Promise<void> {
  if (writer === undefined || site === undefined) return;
  await writer.process.kill();
  const fresh = await site.look(readNotes(site.notesPath));
  for (const { did } of fresh) if (ACKNOWLEDGED.has(did)) tally.add(`acknowledged: ${did}`);
  site.remove();
}

function start(site: KillSite, random: () => number): Writer {
  const writer: Writer = {
    process: new Killed(programPath('kill-worker'), [
      `sqlite:${site.path}`,
      site.notesPath,
      String(random()),
      'killed',
      '--standby',
    ]),
    ready: false,
  };
  writer.process.said('ready').then(
    () => {
      writer.ready = true;
    },
    () => undefined, // who waits for it is told
  );
  return writer;
}

async function takeOver(site: KillSite, writer: Writer, random: () => number, tally: Tally): Promise<Writer> {
  const standby = start(site, random);
  await standby.process.said('opening');
  await sleep(random() % 150);
  if (standby.ready) throw new Error('the standby writes while the writer lives');
  const killedAt = performance.now();
  await writer.process.kill();
  await standby.process.said('ready');
  const tookMs = performance.now() - killedAt;
  tally.add('takeovers');
  tally.add(tookMs <= LATE_MS ? 'within a second' : 'late');
  tally.add('ms in all', Math.round(tookMs));
  await standby.process.said('serving');
  return standby;
}
