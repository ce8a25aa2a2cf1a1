import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CALM, type Installed, ROOT } from './installed.ts';

interface Started {
  readonly npm: ChildProcess;
  readonly url: string;
  /** All that was printed so far. */
  readonly said: () => string;
  readonly ended: Promise<number | null>;
}

type Body = Record<string, unknown>;

const started: Started[] = [];

/** What a clone looks like after `npm ci`: the project's package.json, what it built, and node_modules. */
async function cloneOf({ dir }: Installed): Promise<string> {
  const clone = join(dir, 'clone');
  await mkdir(clone);
  await cp(join(ROOT, 'package.json'), join(clone, 'package.json'));
  await cp(join(dir, 'node_modules/resource-pool-manager/dist'), join(clone, 'dist'), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(clone, 'node_modules'));
  return clone;
}

async function npmStart(cwd: string, data: string, ...flags: string[]): Promise<Started> {
  const capacity = 'detection.capacity={"memory":100,"cpu":400}';
  const npm = spawn('npm', ['start', '--', '--port', '0', '--data', data, '--set', capacity, '--set', CALM, ...flags], {
    cwd,
  });
  let said = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  const ended = new Promise<number | null>((resolve) => npm.once('exit', (code) => resolve(code)));
  await expect.poll(() => said, { timeout: 20_000 }).toMatch(/try: /);
  const url = /listening on (\S+)/.exec(said)![1]!;
  const one = { npm, url, said: () => said, ended };
  started.push(one);
  return one;
}

async function call(url: string, method: string, path: string, body?: Body, headers: Record<string, string> = {}) {
  const response = await fetch(url + path, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), connection: 'close', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Body };
}

const lease = (memory: number, more: Body = {}): Body => ({ requirements: { memory }, ttlMs: 3_600_000, ...more });
/** The server itself: npm's shell became it (`exec`), so it is npm's only child. */
function childOf(npmPid: number): number {
  const children = readFileSync(`/proc/${npmPid}/task/${npmPid}/children`, 'utf8').trim().split(' ');
  expect(children).toHaveLength(1);
  expect(readFileSync(`/proc/${children[0]}/cmdline`, 'utf8')).toMatch(/^node\0dist\/bin\/poolctl\.js\0serve/);
  return Number(children[0]);
}

const isUp = (url: string) =>
  fetch(`${url}/livez`).then(
    () => true,
    () => false,
  );

/** `npm start` as a user types it, in a folder that looks like a clone after `npm ci`. */
export function describeNpmStart(user: () => Installed): void {
  describe('npm start', () => {
    let clone: string;
    beforeAll(async () => {
      clone = await cloneOf(user());
    });
    afterEach(async () => {
      for (const { npm, ended, url } of started.splice(0)) {
        if (npm.exitCode === null) npm.kill('SIGTERM');
        await ended;
        expect(await isUp(url)).toBe(false);
      }
    });

    test('prints its address, the capacity, the tiers and a line to try, which works', async () => {
      const { said, url } = await npmStart(clone, 'prints');
      expect(said()).toMatch(/capacity +memory=100Mi cpu=400%/);
      for (const tier of ['critical', 'standard', 'besteffort']) expect(said()).toMatch(new RegExp(`tier +${tier} `));
      const [, command] = /try: (.*)/.exec(said())!;
      const tried = spawn('bash', ['-c', command!]);
      let answer = '';
      for await (const chunk of tried.stdout) answer += chunk;
      expect(JSON.parse(answer)).toMatchObject({ code: 'NEVER_FITS' }); // it asks for 1000 MiB of a pool of 100
      expect(await isUp(url)).toBe(true);
    });

    test.each(['SIGINT', 'SIGTERM'] as const)(
      '%s to npm reaches it: it stops and exits with 0, leases or not',
      async (signal) => {
        const { npm, url, ended } = await npmStart(clone, signal);
        expect((await call(url, 'POST', '/v1/leases', lease(10))).status).toBe(201);
        npm.kill(signal);
        expect(await ended).toBe(0);
        expect(await isUp(url)).toBe(false);
      },
    );

    test('what is in flight is answered, what waits is told, and a stream ends', async () => {
      const { npm, url, ended } = await npmStart(clone, 'flight');
      await call(url, 'POST', '/v1/leases', lease(90));
      const plain = call(url, 'POST', '/v1/leases', lease(50, { waitMs: 60_000 }));
      const keyed = call(url, 'POST', '/v1/leases', lease(50, { waitMs: 60_000, idempotencyKey: 'k' }));
      const stream = fetch(`${url}/v1/events`, { headers: { accept: 'text/event-stream' } }).then((each) =>
        each.text(),
      );
      await expect.poll(async () => ((await call(url, 'GET', '/v1/requests')).body['items'] as []).length).toBe(2);
      npm.kill('SIGTERM');
      expect(await plain).toMatchObject({ status: 503, body: { code: 'DRAINING' } });
      expect(await keyed).toMatchObject({ status: 503, body: { code: 'OUTCOME_UNKNOWN' } });
      expect(await stream).toContain('LeaseGranted');
      expect(await ended).toBe(0);
    });

    test('a second signal at once (npm hands a terminal’s on) changes nothing', async () => {
      const { npm, url, ended } = await npmStart(clone, 'twice');
      await call(url, 'POST', '/v1/leases', lease(10));
      npm.kill('SIGINT');
      npm.kill('SIGINT');
      expect(await ended).toBe(0);
    });

    test.each(['SIGKILL', 'SIGTERM'] as const)('after %s it starts again where it was', async (signal) => {
      const data = `again-${signal}`;
      const first = await npmStart(clone, data);
      const { body: kept } = await call(first.url, 'POST', '/v1/leases', lease(60, { id: 'kept' }));
      const { body: gone } = await call(first.url, 'POST', '/v1/leases', lease(10));
      await call(first.url, 'POST', `/v1/leases/${gone['id']}/release`, { token: gone['token'] });
      await call(first.url, 'POST', '/v1/leases', lease(80));
      const keyed = call(
        first.url,
        'POST',
        '/v1/leases',
        lease(80, { id: 'waits', waitMs: 600_000, idempotencyKey: 'k' }),
      );
      keyed.catch(() => {});
      await expect
        .poll(async () => ((await call(first.url, 'GET', '/v1/requests')).body['items'] as []).length)
        .toBe(1);
      await call(first.url, 'POST', '/v1/tiers/besteffort/cordon', {});
      await call(first.url, 'POST', '/v1/breaker', { mode: 'forcedOpen' });
      await expect.poll(async () => (await call(first.url, 'GET', '/v1/metrics.json')).body['refusedTotal']).toBe(1);
      const seen = async (url: string) => {
        const { body: pool } = await call(url, 'GET', '/v1/pool');
        const { revision, at, configRevision, ...there } = pool;
        const { body: metrics } = await call(url, 'GET', '/v1/metrics.json');
        const counters = Object.fromEntries(
          Object.entries(metrics).filter(([name]) => /Total$|^granted$|^refused$/.test(name)),
        );
        const { body: leases } = await call(url, 'GET', '/v1/leases');
        const { body: requests } = await call(url, 'GET', '/v1/requests');
        const waiting = (requests['items'] as Body[]).map(({ estimatedStartMs, ...request }) => request);
        return { there, counters, leases, waiting };
      };
      const before = await seen(first.url);
      expect(before.there['breaker']).toMatchObject({ mode: 'forcedOpen' });
      if (signal === 'SIGKILL') process.kill(childOf(first.npm.pid!), 'SIGKILL');
      else first.npm.kill(signal);
      await first.ended;

      const second = await npmStart(clone, data);
      expect(await seen(second.url)).toEqual(before);
      await call(second.url, 'POST', '/v1/breaker', { mode: 'closed' });
      const released = await call(second.url, 'POST', `/v1/leases/${kept['id']}/release`, { token: kept['token'] });
      expect(released.body).toMatchObject({ requestId: 'kept', state: 'released' });
      const again = await call(
        second.url,
        'POST',
        '/v1/leases',
        lease(80, { id: 'waits', waitMs: 600_000, idempotencyKey: 'k' }),
      );
      expect(again).toMatchObject({ status: 201, body: { requestId: 'waits', token: 3 } });
    });
  });
}
