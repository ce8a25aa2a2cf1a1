/**
 * Durable allocates over HTTP: `poolctl serve` on an empty sqlite store, asked by autocannon from a process of its own over 64
 * connections, beside the same Fastify route that commits nothing. In turn, in one run; the figures are over the rounds.
 */
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { note, progress, quantile, summary, tell } from '../measure.ts';
import { scratchFolder } from '../support/scratch.ts';
import { type ServerProcess, startProcess } from '../support/server-process.ts';

const CONNECTIONS = 64;
const REQUESTS = 20_000;
const ROUNDS = 9;
const WARM_UP = 2;
const BODY = JSON.stringify({ requirements: { memory: 1, cpu: 1 } });
const AUTOCANNON = createRequire(import.meta.url).resolve('autocannon');
const run = promisify(execFile);

interface Shot {
  readonly '2xx': number;
  readonly non2xx: number;
  readonly errors: number;
  readonly start: string;
  readonly finish: string;
  /** ms */
  readonly latency: { readonly p50: number; readonly p99: number };
}

const ROOM = ['--set', 'detection.capacity={"memory":"1024Gi","cpu":10000000}', '--set', 'maxPoolSize=1000000'];
const ours = await startProcess(['dist/bin/poolctl.js', 'serve', '--port', '0', '--data', scratchFolder(), ...ROOM]);
const bare = await startProcess(['bench/support/bare-route.ts', await oneLease(ours.url)]);
const servers: readonly (readonly [string, ServerProcess])[] = [
  ['poolctl serve, sqlite', ours],
  ['the same route, nothing committed', bare],
];

async function oneLease(url: string): Promise<string> {
  const response = await fetch(`${url}/v1/leases`, {
    method: 'POST',
    body: BODY,
    headers: { 'content-type': 'application/json' },
  });
  if (response.status !== 201) throw new Error(`${response.status}: ${await response.text()}`);
  return response.text();
}

async function shoot({ url }: ServerProcess): Promise<Shot> {
  const sizes = ['-c', `${CONNECTIONS}`, '-a', `${REQUESTS}`];
  const request = ['-m', 'POST', '-H', 'content-type: application/json', '-b', BODY, `${url}/v1/leases`];
  const { stdout } = await run(process.execPath, [AUTOCANNON, '--json', '--no-progress', ...sizes, ...request]);
  const shot = JSON.parse(stdout) as Shot;
  if (shot.non2xx > 0 || shot.errors > 0) throw new Error(`not every answer was a lease: ${stdout}`);
  return shot;
}

const ratePerMs = (shot: Shot): number => shot['2xx'] / (Date.parse(shot.finish) - Date.parse(shot.start));

const shots = servers.map((): Shot[] => []);
for (let i = 0; i < ROUNDS; i++) {
  for (const [s, [, server]] of servers.entries()) {
    const shot = await shoot(server);
    if (i >= WARM_UP) shots[s]!.push(shot);
  }
  progress(i + 1, ROUNDS);
}

const rates = shots.map((of) => Float64Array.from(of, ratePerMs).sort());
for (const [s, [name]] of servers.entries()) {
  tell({ what: `${name}, rate`, p50: quantile(rates[s]!, 0.5), unit: 'k/s' });
  tell({
    what: `${name}, latency`,
    p50: summary(shots[s]!.map(({ latency }) => latency.p50)).p50,
    p99: summary(shots[s]!.map(({ latency }) => latency.p99)).p50,
    unit: 'ms',
  });
}
tell({
  what: 'durable allocates over HTTP, of the rate of the same route',
  p50: (100 * quantile(rates[0]!, 0.5)) / quantile(rates[1]!, 0.5),
  unit: '%',
  bar: { is: 'at least', value: 75 },
});
note(
  `${CONNECTIONS} connections, ${REQUESTS} requests a round, ${ROUNDS - WARM_UP} rounds after ${WARM_UP} that warm up`,
);
note('the other route is checked and written by Fastify itself from the same schemas, and answers the same lease');
await Promise.all(servers.map(([, server]) => server.stop()));
