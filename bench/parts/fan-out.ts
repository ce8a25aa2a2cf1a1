/**
 * What live readers cost those who are granted leases: durable allocates over HTTP, one after the other over one connection, with
 * no reader and with 2 000 that follow the events over SSE. `poolctl serve` on an empty sqlite store; the readers run in a process of
 * their own that throws away what it gets.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { note, progress, quantile, summary, tell } from '../measure.ts';
import { scratchFolder } from '../support/scratch.ts';
import { startProcess } from '../support/server-process.ts';

const READERS = 2_000;
const ALLOCATES = 400;
const ROUNDS = 5;
const BODY = JSON.stringify({ requirements: { memory: 1, cpu: 1 } });

if (process.argv[2] === 'readers') await read(process.argv[3]!, Number(process.argv[4]));
else await measure();

/** Tells its parent when all have caught up. */
async function read(url: string, readers: number): Promise<void> {
  const { hostname, port } = new URL(url);
  const head = `GET /v1/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: 1\r\n\r\n`;
  for (let reader = 0; reader < readers; reader += 1)
    await new Promise<void>((resolve, reject) => {
      const socket = connect(Number(port), hostname).on('error', reject);
      socket.write(head);
      const onData = (chunk: Buffer): void => {
        if (!chunk.includes('caughtUp')) return;
        socket.off('data', onData).resume();
        resolve();
      };
      socket.on('data', onData);
    });
  process.send?.('caughtUp');
}

async function measure(): Promise<void> {
  const room = [
    '--set',
    'detection.capacity={"memory":"1024Gi","cpu":10000000}',
    '--set',
    'maxPoolSize=1000000',
    '--set',
    'enableCircuitBreaker=false',
  ];
  const server = await startProcess([
    'dist/bin/poolctl.js',
    'serve',
    '--port',
    '0',
    '--data',
    scratchFolder(),
    ...room,
  ]);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const rounds = { without: [] as number[], with: [] as number[] };
  for (let round = 0; round < ROUNDS; round += 1) {
    rounds.without.push((await allocates(server.url, agent)).p50);
    const child = await readers(server.url);
    const { p50, p99 } = await allocates(server.url, agent);
    rounds.with.push(p50);
    if (round === ROUNDS - 1) note(`with readers, the last round: p99 ${p99.toFixed(1)} ms`);
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    progress(round + 1, ROUNDS);
  }
  agent.destroy();
  await server.stop();
  const [without, beside] = [rounds.without, rounds.with].map((of) => quantile(Float64Array.from(of).sort(), 0.5));
  tell({ what: 'allocate over HTTP, no reader', p50: without!, unit: 'ms' });
  tell({ what: `allocate over HTTP, ${READERS} live readers`, p50: beside!, unit: 'ms' });
  tell({ what: 'with readers, of without', p50: beside! / without!, unit: 'x' });
  note(`${ALLOCATES} allocates a round, ${ROUNDS} rounds; the median of their medians`);
}

function readers(url: string): Promise<ChildProcess> {
  const child = fork(new URL(import.meta.url), ['readers', url, String(READERS)]);
  return new Promise((resolve, reject) => {
    child.once('message', () => resolve(child));
    child.once('exit', (code) => reject(new Error(`the readers ended with ${code}`)));
  });
}

async function allocates(url: string, agent: Agent): Promise<{ readonly p50: number; readonly p99: number }> {
  const ms: number[] = [];
  for (let i = 0; i < ALLOCATES; i += 1) {
    const began = performance.now();
    await allocate(url, agent);
    ms.push(performance.now() - began);
  }
  return summary(ms);
}

function allocate(url: string, agent: Agent): Promise<void> {
  const headers = { 'content-type': 'application/json', 'content-length': BODY.length };
  return new Promise((resolve, reject) => {
    const asking = request(`${url}/v1/leases`, { method: 'POST', agent, headers }, (response) => {
      if (response.statusCode !== 201) reject(new Error(`status ${response.statusCode}`));
      response.resume().once('end', resolve);
    });
    asking.once('error', reject).end(BODY);
  });
}
