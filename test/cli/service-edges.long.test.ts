import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SmallDisk, whyNoDisk } from '../faults/disk-full/small-disk.ts';
import { scratch } from './poolctl.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;
const SINK = new URL('../../src/cli/line-sink.ts', import.meta.url).pathname;
const { dir, remove } = scratch();
afterAll(remove);

interface Server {
  readonly url: string;
  readonly child: ChildProcess;
  readonly hasEnded: () => boolean;
  /** By SIGTERM; answers the exit code. */
  stop(): Promise<number | null>;
}

/** A server started by a shell, with what the shell does to its limits (`before`) and descriptors (`after`). */
async function served(name: string, { before = '', after = '' }): Promise<Server> {
  const capacity = 'detection.capacity={"memory":"8Gi","cpu":400}';
  const args = ['serve', '--port', '0', '--data', join(dir, name), '--log-level', 'trace', '--set', capacity];
  const set = ['--set', 'overload.pressureRatio=1', '--set', 'enableCircuitBreaker=false'];
  const command = `${before} exec "$@" ${after}`;
  const child = spawn('bash', ['-c', command, 'bash', process.execPath, MAIN, ...args, ...set], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (chunk) => {
      out += chunk;
      const found = /listening on (http:\S+)/.exec(out);
      if (found !== null) resolve(found[1]!);
    });
    void ended.then((code) => reject(new Error(`serve ended with ${code}`)));
  });
  return {
    url,
    child,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function work({ url }: Server, requests: number): Promise<void> {
  for (let i = 0; i < requests; i += 1) {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    const body = JSON.stringify({ requirements: { memory: 1 }, ttlMs: 60_000 });
    const response = await fetch(`${url}/v1/leases`, { method: 'POST', headers, body });
    expect(response.status).toBe(201);
    await response.text();
  }
}

describe('poolctl serve without descriptors', () => {
  it('serves on beside 300 idle connections that may have 256 in all, and stops at once', async () => {
    const server = await served('descriptors', { before: 'ulimit -n 256;', after: '2>/dev/null' });
    const { hostname, port } = new URL(server.url);
    let closed = 0;
    const sockets = Array.from({ length: 300 }, () => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => {});
      socket.on('close', () => {
        closed += 1;
      });
      return socket;
    });
    await expect.poll(() => closed, { timeout: 20_000 }).toBeGreaterThan(100);
    const until = Date.now() + 3_000; // samples are taken each second
    while (Date.now() < until) await work(server, 5);
    for (const path of ['/readyz', '/metrics', '/openapi.json', '/v1/pool?revision=0'])
      expect((await fetch(server.url + path)).status).toBe(200);
    expect(server.hasEnded()).toBe(false);
    expect(await server.stop()).toBe(0);
    for (const socket of sockets) socket.destroy();
  });
});

const noDisk = whyNoDisk();
if (noDisk !== undefined) console.log(`poolctl serve whose log is on a full disk: skipped, ${noDisk}`);

describe('poolctl serve whose log cannot be written', () => {
  const STUCK = 'exec 2> >(exec sleep 30 >/dev/null); head -c 65536 /dev/zero >&2;'; // a pipe holds 64 KiB
  it.each([
    ['to a pipe that is full and that nobody reads', { before: STUCK }],
    ['to a pipe whose reader has gone', { after: '2> >(exec sleep 0.1)' }],
    ['to a descriptor that is closed', { after: '2>&-' }],
  ])('%s serves on', async (name, shell) => {
    const server = await served(name.replaceAll(' ', '-'), shell);
    await work(server, 5);
    await logSomething(server);
    expect(server.hasEnded()).toBe(false);
    expect(await server.stop()).toBe(0);
  });

  it.skipIf(noDisk !== undefined)('to a full disk serves on', async () => {
    const disk = new SmallDisk(2 ** 20);
    try {
      const log = join(disk.folder, 'log');
      const server = await served('full', { before: `exec 2>>${log};` });
      await expect.poll(() => readFileSync(log, 'utf8')).toContain('try: curl');
      // The file fills its last page: the next line needs another, and there is none.
      appendFileSync(log, Buffer.alloc(4_096 - (statSync(log).size % 4_096), '\n'));
      disk.fill(0);
      await work(server, 5);
      await logSomething(server);
      expect(server.hasEnded()).toBe(false);
      expect(await server.stop()).toBe(0);
    } finally {
      disk.remove();
    }
  });
});

/** A program that says lines until `drops` of them were dropped, then does `then`, and says one more. */
const speaker = (drops: number, then = ''): string => `
  import { rmSync } from 'node:fs';
  import { LineSink } from ${JSON.stringify(SINK)};
  const sink = new LineSink(2, (dropped) => 'dropped ' + dropped + '\\n');
  for (let line = 0; sink.dropped < ${drops}; line += 1) sink.write(String(line) + 'x'.repeat(300) + 'END\\n');
  ${then};
  sink.write('last'.padEnd(300, '.') + '\\n');
  process.stdout.write('dropped ' + sink.dropped);`;

function said(program: string, stderr: string): Promise<string> {
  const child = spawn(
    'bash',
    ['-c', `exec "$@" ${stderr}`, 'bash', process.execPath, '--input-type=module', '-e', program],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let out = '';
  child.stdout!.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr!.pause();
  return new Promise((resolve) =>
    child.once('exit', () => {
      child.stderr!.destroy();
      child.once('close', () => resolve(out));
    }),
  );
}

describe('lines that cannot be written', () => {
  it.each([
    ['a pipe that nobody reads', '2> >(exec sleep 3 >/dev/null)'],
    ['a socket that nobody reads', ''],
    ['a descriptor that is full for ever', '2>/dev/full'],
  ])('to %s are dropped and counted; nobody waits for them', async (_, stderr) => {
    expect(await said(speaker(1_000), stderr)).toBe('dropped 1001');
  });

  it.skipIf(noDisk !== undefined)('to a full disk are dropped, and told of when there is room', async () => {
    const disk = new SmallDisk(2 ** 20);
    try {
      disk.fill(20_000);
      const log = join(disk.folder, 'log');
      const then = `rmSync(${JSON.stringify(join(disk.folder, 'ballast'))})`;
      expect(await said(speaker(10, then), `2>>${log}`)).toBe('dropped 0');
      const lines = readFileSync(log, 'utf8').split('\n');
      expect(lines.slice(-3)).toEqual(['dropped 10', expect.stringMatching(/^last/), '']);
      const whole = lines.slice(0, -3).filter((line) => line.endsWith('END'));
      expect(whole.length).toBeGreaterThan(50);
      expect(lines.length - 3 - whole.length).toBeLessThanOrEqual(1); // the one that was cut, on a line of its own
    } finally {
      disk.remove();
    }
  });
});

let sets = 0;
/** A breaker that is set by hand is a line of the log. */
async function logSomething({ url }: Server): Promise<void> {
  sets += 1;
  const response = await fetch(`${url}/v1/breaker`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mode: sets % 2 === 0 ? 'closed' : 'metricsOnly' }),
  });
  expect(response.status).toBe(200);
  await response.text();
}
