import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { poolctl, type Serving, scratch, serve, serveUnder } from '../cli/poolctl.ts';
import { SmallDisk, whyNoDisk } from './disk-full/small-disk.ts';
import { canTrace } from './io/run.ts';
import { HttpPool } from './kill/http-pool.ts';
import type { Held } from './kill/load.ts';

const { dir, remove } = scratch();
afterAll(remove);

const ask = (name: string) => ({ did: 'ask' as const, key: `key-${name}`, name, memory: 1 });
const traced = canTrace();
const noDisk = whyNoDisk();
if (!traced) console.log('poolctl serve with failing calls: skipped, strace cannot trace processes here');
if (noDisk !== undefined) console.log(`poolctl serve on a full disk: skipped, ${noDisk}`);

async function readiness(server: Serving): Promise<number> {
  return (await fetch(`${server.url}/readyz`)).status;
}

interface Refused {
  readonly code: string;
  readonly status: number;
  readonly retryAfterMs?: number;
}

/** Leases are taken until one is not granted: what was granted, and the refusal. */
async function allocateUntilRefused(server: Serving): Promise<{ held: Held[]; refused: Refused; asked: number }> {
  const pool = new HttpPool(server.url);
  const held: Held[] = [];
  for (let asked = 1; asked < 5_000; asked++) {
    try {
      held.push(await pool.allocate(ask(`t-${asked}`)));
    } catch (error) {
      return { held, asked, refused: error as unknown as Refused };
    }
  }
  throw new Error('nothing is refused');
}

/** Every lease answers with its token; the request that was refused in doubt gets one lease, old or new, under its key. */
async function mustHoldAll(server: Serving, held: readonly Held[], asked: number): Promise<void> {
  const pool = new HttpPool(server.url);
  for (const { leaseId, token } of held) expect((await pool.find(leaseId)).token).toBe(token);
  const again = await pool.allocate(ask(`t-${asked}`));
  expect(await pool.allocate(ask(`t-${asked}`))).toEqual(again);
  expect(again.token).toBeGreaterThan(held.at(-1)?.token ?? 0);
}

const failing = (call: string, what: string, when: string): string[] => [
  ...['strace', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null'],
  ...['-e', `trace=${call}`, '-e', `inject=${call}:${what}:when=${when}`],
];

describe.skipIf(!traced)('poolctl serve whose disk fails', () => {
  it.each([
    ['fsync', 'EIO'],
    ['pwrite64', 'EIO'],
    ['pwrite64', 'ENOSPC'],
    ['pwrite64', 'EDQUOT'],
  ])('for ever (%s: %s) refuses with 503, is not ready, and has lost nothing after a restart', async (call, error) => {
    const data = join(dir, `for-ever-${call}-${error}`);
    let server = await serveUnder(failing(call, `error=${error}`, '120+'), data);
    const { held, refused, asked } = await allocateUntilRefused(server);
    expect(held.length).toBeGreaterThan(3);
    expect(refused).toMatchObject({ code: 'OUTCOME_UNKNOWN', status: 503, retryAfterMs: expect.any(Number) });
    expect(await readiness(server)).toBe(503);
    const next = new HttpPool(server.url).allocate(ask('next'));
    await expect(next).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', status: 503 });
    await server.stop('SIGKILL');
    server = await serve(data);
    expect(await readiness(server)).toBe(200);
    await mustHoldAll(server, held, asked);
    expect((await server.stop()).code).toBe(0);
    expect((await poolctl('check', '--store', `sqlite:${join(data, 'pool.db')}`)).code).toBe(0);
  });

  it.each([
    ['fsync', 'error=EIO'],
    ['fsync', 'error=EINTR'],
    ['pwrite64', 'error=EINTR'],
    ['pwrite64', 'retval=0'],
    ['pwrite64', 'error=ENOSPC'],
  ])('once in a while (%s: %s) carries every request through', async (call, what) => {
    const server = await serveUnder(failing(call, what, '120+97'), join(dir, `once-${call}-${what}`));
    const pool = new HttpPool(server.url);
    const held: Held[] = [];
    for (let i = 0; i < 60; i++) held.push(await pool.allocate(ask(`t-${i}`)));
    await mustHoldAll(server, held, 60);
    expect(await readiness(server)).toBe(200);
    expect((await server.stop()).code).toBe(0);
  });
});

describe.skipIf(noDisk !== undefined)('poolctl serve on a full disk', () => {
  it('refuses with 503, is not ready, and goes on by itself when there is room again', async () => {
    const disk = new SmallDisk(2 ** 20);
    try {
      const server = await serve(join(disk.folder, 'data'));
      disk.fill(50_000);
      const { held, refused, asked } = await allocateUntilRefused(server);
      expect(refused).toMatchObject({ code: 'OUTCOME_UNKNOWN', status: 503 });
      expect(await untilNotReady(server)).toMatchObject({ detail: expect.stringContaining('no room') });
      disk.leave(150_000);
      while ((await readiness(server)) !== 200) await sleep(50);
      await mustHoldAll(server, held, asked);
      expect((await server.stop()).code).toBe(0);
    } finally {
      disk.remove();
    }
  });
});

/** How the pool says it is, without being asked for anything that it would have to record. */
async function untilNotReady(server: Serving): Promise<{ readonly detail: string; readonly code: string }> {
  while ((await readiness(server)) === 200) await sleep(20);
  return (await (await fetch(`${server.url}/readyz`)).json()) as { detail: string; code: string };
}

describe('poolctl serve whose files are taken away', () => {
  const moveAnotherOver = async (data: string): Promise<void> => {
    const other = join(dir, 'another');
    const server = await serve(other);
    await new HttpPool(server.url).allocate(ask('another-pool'));
    await server.stop();
    renameSync(join(other, 'pool.db'), join(data, 'pool.db'));
  };

  it.each([
    ['the folder is removed', async (data: string) => rmSync(data, { recursive: true }), /data-removed.* is gone/],
    ['another file is moved over its log', moveAnotherOver, /pool\.db is not the file that was opened/],
    ['its lock is deleted', async (data: string) => rmSync(join(data, 'pool.db.lock')), /pool\.db\.lock is gone/],
  ])(
    '%s: not ready though nobody asks, no grant any more, alive, and what was granted is shown',
    async (what, take, why) => {
      const data = join(dir, `data-${what.includes('folder') ? 'removed' : what.slice(0, 8).trim()}`);
      const server = await serve(data);
      const pool = new HttpPool(server.url);
      const held = await pool.allocate(ask('before'));
      await take(data);
      expect(await untilNotReady(server)).toMatchObject({
        code: 'LOG_UNAVAILABLE',
        detail: expect.stringMatching(why),
      });
      for (const name of ['after', 'later'])
        await expect(pool.allocate(ask(name))).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', status: 503 });
      await expect(pool.release(held)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', status: 503 });
      expect(await pool.find(held.leaseId)).toEqual(held);
      expect((await fetch(`${server.url}/livez`)).status).toBe(200);
      const { code, stderr } = await server.stop();
      expect(code).toBe(0);
      expect(stderr.match(/the files of the log are not its own any more/g)).toHaveLength(1);
    },
  );
});

describe('poolctl serve beside another program', () => {
  it('that locks its log for 50 ms, again and again, in the transaction of a long reader: every request is carried out', async () => {
    const data = join(dir, 'locked');
    const server = await serve(data);
    const pool = new HttpPool(server.url);
    const reader = new DatabaseSync(join(data, 'pool.db'), { readOnly: true });
    reader.exec('BEGIN; SELECT count(*) FROM events');
    const other = new DatabaseSync(join(data, 'pool.db'), { timeout: 1_000 });
    for (let i = 0; i < 40; i++) {
      if (i % 10 === 5) {
        other.exec('BEGIN IMMEDIATE');
        setTimeout(() => other.exec('ROLLBACK'), 50);
      }
      await pool.allocate(ask(`t-${i}`));
    }
    expect(await readiness(server)).toBe(200);
    other.close();
    reader.close();
    const { code, stderr } = await server.stop();
    expect({ code, stderr: stderr.match(/"level":[45]0/g) }).toEqual({ code: 0, stderr: null });
  });

  it('that keeps its lock: 503 with the reason, and ready again by itself once it is let go', async () => {
    const data = join(dir, 'kept');
    const server = await serve(data);
    const pool = new HttpPool(server.url);
    const other = new DatabaseSync(join(data, 'pool.db'));
    other.exec('BEGIN EXCLUSIVE');
    await expect(pool.allocate(ask('one'))).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE', status: 503 });
    expect(await untilNotReady(server)).toMatchObject({
      detail: expect.stringContaining('another program holds the lock'),
    });
    other.exec('ROLLBACK');
    while ((await readiness(server)) !== 200) await sleep(20);
    expect((await pool.allocate(ask('one'))).token).toBe(1);
    other.close();
    expect((await server.stop()).code).toBe(0);
  });
});

/** A pool with 40 leases, whose server was stopped or killed; it left no snapshot that would spare it reading the log. */
async function poolOf40(name: string, signal: NodeJS.Signals): Promise<{ data: string; path: string }> {
  const data = join(dir, name);
  const server = await serve(data);
  const pool = new HttpPool(server.url);
  for (let i = 0; i < 40; i++) await pool.allocate(ask(`t-${i}`));
  await server.stop(signal);
  const path = join(data, 'pool.db');
  rmSync(`${path}.snapshots`, { recursive: true, force: true });
  return { data, path };
}

/** Flips a bit in the last place of a file where `text` stands. */
function flip(path: string, text: string): void {
  const bytes = readFileSync(path);
  const at = bytes.lastIndexOf(text);
  expect(at).toBeGreaterThan(0);
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

describe('a pool whose log was damaged', () => {
  it('in a byte of the file is not served and does not check: both name the place', async () => {
    const { data, path } = await poolOf40('flipped', 'SIGTERM');
    flip(path, '"id":"t-20"');
    await expect(serve(data)).rejects.toThrow(/log is damaged at pool-default, revision \d+/);
    const checked = await poolctl('check', '--store', `sqlite:${path}`);
    expect(checked).toMatchObject({ code: 3, stdout: '' });
    expect(checked.stderr).toMatch(/log is damaged at pool-default, revision \d+/);
  });

  it.each([
    ['long before its end', 't-3'],
    ['in its last record', 't-39'],
  ])(
    'in a byte of what was not yet moved into the file, %s, is not served either, and nothing is changed',
    async (_, id) => {
      const { data, path } = await poolOf40(`flipped-${id}`, 'SIGKILL');
      flip(`${path}-wal`, `"id":"${id}"`);
      const before = filesOf(path);
      await expect(serve(data)).rejects.toThrow(/log is damaged at \S+pool\.db, position \d+: it had come to \d+/);
      const checked = await poolctl('check', '--store', `sqlite:${path}`);
      expect(checked).toMatchObject({ code: 3, stdout: '' });
      expect(checked.stderr).toMatch(/position \d+: it had come to \d+, and \d+ acknowledged events are lost/);
      expect(filesOf(path)).toEqual(before);
    },
  );
});

const filesOf = (path: string): string[] =>
  ['', '-wal', '.mark'].map((end) =>
    createHash('sha256')
      .update(readFileSync(`${path}${end}`))
      .digest('hex'),
  );
