import { randomSource } from '../../../src/testing/arbitraries.ts';
import { programPath } from '../launch.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { type Ack, Book } from './acks.ts';
import { ACKNOWLEDGED, KillSite } from './cycles.ts';
import { HttpPool } from './http-pool.ts';
import { Killed } from './killed.ts';
import { askAgain, type LoadOptions, runLoad } from './load.ts';

const CYCLES_OF_A_STORE = 20;

/** Kills `poolctl serve` while it is asked over HTTP, over and over, and looks after each kill. */
export async function killServeRun(share: Share): Promise<Counts> {
  const random = randomSource(share.seed + share.part);
  const tally = new Tally();
  let site: KillSite | undefined;
  let notes: Ack[] = [];
  for (let cycle = 0, done = 0; cycle < share.count; cycle++) {
    if (!mine(cycle, share)) continue;
    if (done++ % CYCLES_OF_A_STORE === 0) {
      site?.remove();
      site = new KillSite();
      notes = [];
    }
    await killOnce(site!, notes, `c${cycle}`, random, tally).catch((error: unknown) => {
      throw new Error(`cycle ${cycle} in ${site!.folder}: ${error}`, { cause: error });
    });
  }
  site?.remove();
  return tally.counts;
}

async function killOnce(
  site: KillSite,
  notes: Ack[],
  prefix: string,
  random: () => number,
  tally: Tally,
): Promise<void> {
  const before = notes.length;
  const server = new Killed(programPath('poolctl'), [
    ...['serve', '--port', '0', '--store', `sqlite:${site.path}`, '--data', site.folder],
    ...['--set', 'detection.capacity={"memory":"100Mi"}', '--set', 'reserve=0%', '--set', 'overload.pressureRatio=1'],
    ...['--set', 'tiers=[{"name":"all","nominal":"100%"}]'],
  ]);
  const pool = new HttpPool(await server.said('listening on '));
  let going = true;
  const options: LoadOptions = {
    ...{ pool, random, prefix, callers: 8, going: () => going },
    note: (ack) => void notes.push(ack),
  };
  await askAgain(options, new Book(notes));
  const load = runLoad(options);
  const killed = new Promise((resolve) => setTimeout(resolve, 10 + (random() % 300))).then(async () => {
    await server.kill();
    going = false;
  });
  await Promise.all([load, killed]);
  await site.look(notes);
  tally.add('kills');
  for (const { did } of notes.slice(before)) if (ACKNOWLEDGED.has(did)) tally.add(`acknowledged: ${did}`);
}
