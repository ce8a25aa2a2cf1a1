/**
 * How long a server's event loop stands while it does what is long: recovers from a log of 1 M events (STALLS_EVENTS, STALLS_LIVE), seeks, searches, exports, follows
 * from the beginning, answers a hundred such requests from one packet, and writes its snapshot at the end. Told are the longest turn of
 * the loop (see TurnMeter; garbage collection included), and the slowest answer to a client
 * that asks `/livez` every 5 ms beside it, for which the machine should have a core to spare.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { openEventStore } from '../../src/eventstore/open.ts';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { note, progress, tell } from '../measure.ts';
import { longLog } from '../support/long-log.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type Turn, TurnMeter } from '../support/turn-meter.ts';

const EVENTS = Number(process.env['STALLS_EVENTS'] ?? 1_000_000);
const LIVE = Number(process.env['STALLS_LIVE'] ?? 12_000);
const BATCH = 4_096;
const ASK_EVERY_MS = 5;
const STEPS = 16;
const PIPELINED = 100;
const BAR = { is: 'below', value: 10 } as const;

const folder = scratchFolder();
const file = join(folder, 'pool.db');
const agent = new Agent({ keepAlive: true });
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
let done = 0;
const LINE = 'longest turn ';
let said: ((longest: Turn) => void) | undefined;

const events = await write();
let server = serve();
await measured('recovery without a snapshot', () => ready());
await measured('nothing', () => sleep(3_000));
await measured('GET /v1/events?lease=nope', () => drained('/v1/events?lease=nope'));
await measured('GET /v1/events?type=PoolDrainStarted', () => drained('/v1/events?type=PoolDrainStarted'));
await measured(`first GET /v1/pool?revision=${events - 1_000}`, () => drained(`/v1/pool?revision=${events - 1_000}`));
await measured('NDJSON of the whole log', () => drained('/v1/events', 'application/x-ndjson'));
await measured('SSE from 0 until it has caught up', () => caughtUp());
await measured(`${PIPELINED} pipelined ?lease=nope`, () => pipelined('/v1/events?lease=nope'));
await measured(`${PIPELINED} pipelined seeks`, () => pipelined(`/v1/pool?revision=${Math.floor(events / 2)}`));
await measured(`${PIPELINED} pipelined pages of 1 000`, () => pipelined('/v1/events?limit=1000'));
await measured('first GET /v1/leases', () => drained('/v1/leases?limit=1000'));
await measured(`${PIPELINED} pipelined pages of 1 000 leases`, () => pipelined('/v1/leases?limit=1000'));
await measured(`${PIPELINED} pipelined pages of nobody's leases`, () => pipelined('/v1/leases?owner=nobody'));
await measured(`${PIPELINED} connections with a page of 1 000 leases each`, () => atOnce('/v1/leases?limit=1000'));
await measured(`${PIPELINED} pipelined GET /metrics`, () => pipelined('/metrics'));
await stop(server);
server = serve();
await measured('recovery from a snapshot', () => ready());
await stop(server);
agent.destroy();
await dispose();
note(
  `${events} events, ${LIVE} leases live; garbage collection by the clock on the wall; the slowest answer to /livez while it went on, asked every ${ASK_EVERY_MS} ms`,
);

async function write(): Promise<number> {
  const store = await openEventStore(`sqlite:${file}`);
  let written = 0;
  let batch: RecordedPoolEvent[] = [];
  const flush = async (): Promise<void> => {
    const appended = await store.append('pool-default', batch, written - 1);
    if (appended.outcome !== 'appended') throw new Error(`the log could not be written: ${appended.outcome}`);
    written += batch.length;
    batch = [];
  };
  for (const made of longLog(EVENTS, LIVE)) {
    if (batch.length + made.length > BATCH) await flush();
    batch.push(...made);
  }
  await flush();
  await store.close();
  return written;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port: free } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return free;
}

function serve(): ChildProcess {
  const poolctl = new URL('../../dist/bin/poolctl.js', import.meta.url).pathname;
  const meter = new URL('../support/turn-meter.ts', import.meta.url).pathname;
  const set = ['detection.capacity={"memory":"40Ti","cpu":24000000}', 'reserve="0%"'].flatMap((pair) => [
    '--set',
    pair,
  ]);
  const args = ['--import', meter, poolctl, 'serve', '--data', folder, '--port', String(port), ...set];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TURN_METER: 'on' },
  });
  createInterface(child.stdout).on('line', (line) => {
    if (!line.startsWith(LINE)) return;
    const [tookMs = 0, gcMs = 0] = line.slice(LINE.length).split(' ').map(Number);
    said?.({ tookMs, gcMs });
  });
  return child;
}

/** The longest turn of the server's loop since it was last asked. */
function longestTurn(): Promise<Turn> {
  return new Promise((resolve) => {
    said = resolve;
    server.kill('SIGUSR2');
  });
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
}

/** Asks `/livez` all along, and tells the slowest answer, and how long the work took. */
async function measured(what: string, work: () => Promise<unknown>): Promise<void> {
  let going = true;
  let slowestMs = 0;
  const asking = (async () => {
    while (going) {
      const began = performance.now();
      const answered = await answer('/livez').then(
        () => true,
        () => false, // it does not listen yet
      );
      if (answered) slowestMs = Math.max(slowestMs, performance.now() - began);
      await sleep(ASK_EVERY_MS);
    }
  })();
  while ((await answer('/livez').catch(() => 0)) !== 200) await sleep(1); // to load a program is no turn of its loop
  await longestTurn();
  const began = performance.now();
  await work();
  const tookMs = Math.round(performance.now() - began);
  const longest = await longestTurn();
  going = false;
  await asking;
  tellTurn(what, longest, `it took ${tookMs} ms; the slowest /livez ${Math.round(slowestMs)} ms`);
  progress(++done, STEPS);
}

function tellTurn(what: string, { tookMs, gcMs }: Turn, more: string): void {
  tell({ what: `longest turn: ${what}`, p50: tookMs, unit: 'ms', bar: BAR });
  note(`  of it garbage collection ${gcMs.toFixed(1)} ms; ${more}`);
}

/** Reads the answer to its end and forgets it. */
async function answer(path: string, accept = 'application/json'): Promise<number> {
  const request = get(`${url}${path}`, { agent, headers: { accept } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode!;
}

async function ready(): Promise<void> {
  while ((await answer('/readyz').catch(() => 0)) !== 200) await sleep(20);
}

async function drained(path: string, accept?: string): Promise<void> {
  const status = await answer(path, accept);
  if (status !== 200) throw new Error(`${path} was answered ${status}`);
}

async function caughtUp(): Promise<void> {
  const request = get(`${url}/v1/events`, { headers: { accept: 'text/event-stream' } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let tail = '';
  for await (const chunk of response) {
    const text = tail + (chunk as Buffer).toString('latin1');
    if (text.includes('event: caughtUp')) break;
    tail = text.slice(-32);
  }
  request.destroy();
}

/** So many of one request in one packet; ends when as many answers have come, or the server has closed. */
async function pipelined(path: string, requests = PIPELINED): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  let answers = 0;
  let tail = '';
  const all = new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      const text = tail + chunk.toString('latin1');
      answers += text.split('HTTP/1.1 ').length - 1;
      tail = text.endsWith('HTTP/1.1 ') ? '' : text.slice(-8);
      if (answers >= requests) resolve();
    });
    socket.on('close', () => resolve());
  });
  socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`.repeat(requests));
  await all;
  socket.destroy();
}

/** So many connections with a request each at the same time. */
async function atOnce(path: string): Promise<void> {
  await Promise.all(Array.from({ length: PIPELINED }, () => pipelined(path, 1)));
}

/** In this process: the longest time between two turns of the event loop while a manager is disposed of. */
async function dispose(): Promise<void> {
  rmSync(`${file}.snapshots`, { recursive: true, force: true });
  const detector = createResourceDetector({ capacity: { memory: '40Ti', cpu: 24_000_000 } });
  const manager = new ResourcePoolManager(
    detector,
    { ...DEFAULT_POOL_CONFIG, reserve: '0%' },
    { eventStore: `sqlite:${file}` },
  );
  await manager.ready();
  globalThis.gc?.();
  const meter = new TurnMeter();
  meter.begin();
  const began = performance.now();
  await manager.dispose();
  const tookMs = Math.round(performance.now() - began);
  const longest = await meter.longest();
  meter.end();
  tellTurn('dispose, with its snapshot', longest, `it took ${tookMs} ms`);
}
