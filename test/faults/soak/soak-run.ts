import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { HttpPool } from '../kill/http-pool.ts';
import { runLoad } from '../kill/load.ts';
import { type Counts, type Share, Tally } from '../share.ts';
import { type Health, Served } from './served.ts';

const CALLERS = 8;
/** Rests at which the server is looked at; the first third of them only warms it up. */
const RESTS = 9;
/** What may come on top of the warm server: noise of the compiler and of histories that are bounded, but not yet full. */
const NOISE_BYTES = 3 * 2 ** 20;

interface Rest extends Health {
  readonly atMs: number;
}

/** Loads a server for `count` seconds. What it holds after each collection must stay the same. */
export async function soakRun({ count, seed, part }: Share): Promise<Counts> {
  if (part > 0) return {}; // one server at a time
  const folder = mkdtempSync(join(tmpdir(), 'rpm-soak-'));
  const store = `sqlite:${join(folder, 'pool.db')}`;
  const server = await Served.start({ store, memory: 100, mailboxLimit: 1_024, queueLength: 100 });
  const tally = new Tally();
  try {
    const rests: Rest[] = [];
    for (let rest = 0; rest < RESTS; rest++) {
      await load(server.url, (count / RESTS) * 1_000, `s${rest}`, randomSource(seed + rest), tally);
      await sleep(1_000); // what was in flight ends, idle connections too
      rests.push({ ...(await server.health()), atMs: performance.now() });
    }
    await server.stop();
    judge(rests.slice(RESTS / 3), tally);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return tally.counts;
}

async function load(url: string, forMs: number, prefix: string, random: () => number, tally: Tally): Promise<void> {
  const until = performance.now() + forMs;
  const pool = new HttpPool(url);
  const going = () => performance.now() < until;
  const note = ({ did }: { did: string }) => tally.add(did);
  await Promise.all([
    runLoad({ pool, note, random, prefix, callers: CALLERS, going }),
    readAlong(url, going, tally),
    neverFit(url, going, tally),
  ]);
}

/** Pages and streams of events, one after the other: each stream is left in the middle. */
async function readAlong(url: string, going: () => boolean, tally: Tally): Promise<void> {
  while (going()) {
    const leave = new AbortController();
    const stream = await fetch(`${url}/v1/events`, { headers: { accept: 'text/event-stream' }, signal: leave.signal });
    await stream.body!.getReader().read();
    leave.abort();
    for (const path of ['/v1/pool', '/v1/events?limit=100', '/v1/utilization', '/metrics'])
      await (await fetch(url + path)).arrayBuffer();
    tally.add('rounds of reading');
    await sleep(20);
  }
}

async function neverFit(url: string, going: () => boolean, tally: Tally): Promise<void> {
  const body = JSON.stringify({ requirements: { memory: 1_000 } });
  const headers = { 'content-type': 'application/json' };
  while (going()) {
    const { status } = await fetch(`${url}/v1/leases`, { method: 'POST', headers, body });
    if (status !== 422) throw new Error(`what never fits is answered ${status}`);
    tally.add('refused for ever');
    await sleep(5);
  }
}

function judge(rests: readonly Rest[], tally: Tally): void {
  const [first, last] = [rests[0]!, rests.at(-1)!];
  const held = ({ resources, listeners }: Health) => {
    const { TCPSocketWrap: _, ...kept } = resources; // as many as the callers keep alive
    return JSON.stringify({ ...kept, listeners });
  };
  for (const rest of rests) if (held(rest) !== held(first)) throw new Error(`held ${held(first)}, then ${held(rest)}`);
  const sockets = Math.max(...rests.map(({ resources }) => resources['TCPSocketWrap'] ?? 0));
  if (sockets > 4 * CALLERS) throw new Error(`${sockets} connections are open at rest`);
  const grown = last.heapUsedBytes - first.heapUsedBytes;
  if (grown > NOISE_BYTES)
    throw new Error(`the heap grew by ${grown} bytes: ${rests.map((rest) => rest.heapUsedBytes)}`);
  tally.add('KiB of heap, warm', Math.round(first.heapUsedBytes / 1_024));
  tally.add('KiB of heap, at the end', Math.round(last.heapUsedBytes / 1_024));
  tally.add('KiB an hour, the slope', Math.round((slope(rests) * 3_600_000) / 1_024));
  tally.add('us, event-loop delay p99 of the last part', Math.round(last.delayMs.p99 * 1_000));
}

/** Bytes a ms, by least squares. */
function slope(rests: readonly Rest[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(rests.map(({ atMs }) => atMs)), mean(rests.map((rest) => rest.heapUsedBytes))];
  let [above, below] = [0, 0];
  for (const { atMs, heapUsedBytes } of rests) {
    above += (atMs - x) * (heapUsedBytes - y);
    below += (atMs - x) ** 2;
  }
  return above / below;
}
