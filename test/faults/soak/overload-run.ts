import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolView } from '../../../src/model/views.ts';
import { type Counts, type Share, Tally } from '../share.ts';
import { Served } from './served.ts';

/** Leases of 1 MiB at once, and ten times as many callers, who ask again at once when they are refused. */
const ROOM = 32;
const CALLERS = 10 * ROOM;
const HOLD_MS = 20;
const QUEUE_LENGTH = 100;
const HEADERS = { 'content-type': 'application/json' };

/** Asks a server for ten times what it has, for `count` seconds: it says no in time, and gets over it. */
export async function overloadRun({ count, part }: Share): Promise<Counts> {
  if (part > 0) return {}; // one server at a time
  const folder = mkdtempSync(join(tmpdir(), 'rpm-overload-'));
  const store = `sqlite:${join(folder, 'pool.db')}`;
  const server = await Served.start({ store, memory: ROOM, mailboxLimit: 64, queueLength: QUEUE_LENGTH });
  const tally = new Tally();
  try {
    const until = performance.now() + count * 1_000;
    const going = () => performance.now() < until;
    const callers = Array.from({ length: CALLERS }, (_, i) => call(server.url, i, going, tally));
    await Promise.all([...callers, watchQueue(server.url, going, tally)]);
    const { delayMs } = await server.health();
    tally.add('us, event-loop delay p50', Math.round(delayMs.p50 * 1_000));
    tally.add('us, event-loop delay p99', Math.round(delayMs.p99 * 1_000));
    await mustBeWell(server.url);
    await server.stop();
    if (!((tally.counts['granted: low'] ?? 0) > 0)) throw new Error('low priority was never granted anything');
    return tally.counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function call(url: string, number: number, going: () => boolean, tally: Tally): Promise<void> {
  const priority = number % 10 === 0 ? 'low' : 'normal';
  const body = JSON.stringify({ priority, requirements: { memory: 1 }, waitMs: number % 2 === 0 ? 500 : 0 });
  while (going()) {
    const answer = await fetch(`${url}/v1/leases`, { method: 'POST', headers: HEADERS, body });
    const said = (await answer.json()) as { id: string; token: number; code?: string };
    if (answer.status === 201) {
      tally.add(`granted: ${priority}`);
      await sleep(HOLD_MS);
      await release(url, said);
    } else refused(answer, said.code, tally);
  }
}

/** Release always passes, however much waits. */
async function release(url: string, { id, token }: { id: string; token: number }): Promise<void> {
  const sent = { method: 'POST', headers: HEADERS, body: JSON.stringify({ token }) };
  const { status } = await fetch(`${url}/v1/leases/${id}/release`, sent);
  if (status !== 200) throw new Error(`a release is answered ${status}`);
}

function refused(answer: Response, code: string | undefined, tally: Tally): void {
  const retryAfter = Number(answer.headers.get('retry-after'));
  if (![429, 503].includes(answer.status) || !(retryAfter > 0))
    throw new Error(`refused with ${answer.status} ${code}, Retry-After ${answer.headers.get('retry-after')}`);
  tally.add(`refused: ${answer.status} ${code}`);
}

async function watchQueue(url: string, going: () => boolean, tally: Tally): Promise<void> {
  while (going()) {
    const pool = (await (await fetch(`${url}/v1/pool`)).json()) as PoolView;
    const waiting = pool.tiers.reduce((sum, tier) => sum + tier.waiting, 0);
    if (waiting > QUEUE_LENGTH) throw new Error(`${waiting} wait, allowed are ${QUEUE_LENGTH}`);
    if (pool.leases > ROOM) throw new Error(`${pool.leases} leases, there is room for ${ROOM}`);
    tally.add('looks at the queue');
    await sleep(100);
  }
}

/** When the storm is over the next request is granted. */
async function mustBeWell(url: string): Promise<void> {
  const body = JSON.stringify({ requirements: { memory: ROOM }, waitMs: 10_000 });
  const answer = await fetch(`${url}/v1/leases`, { method: 'POST', headers: HEADERS, body });
  if (answer.status !== 201) throw new Error(`after the overload: ${answer.status} ${await answer.text()}`);
  const { status } = await fetch(`${url}/readyz`);
  if (status !== 200) throw new Error(`after the overload readyz answers ${status}`);
}
