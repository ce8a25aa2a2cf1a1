import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { poolctl, type Serving, scratch, serve } from './poolctl.ts';

const { dir, remove } = scratch();
let server: Serving;
const at = (...args: string[]) => poolctl('--server', server.url, ...args);
const json = async (...args: string[]) => JSON.parse((await at('-o', 'json', ...args)).stdout);

beforeAll(async () => {
  server = await serve(join(dir, 'shared'));
});
afterAll(async () => {
  await server.stop();
  remove();
});

describe('leases from the command line', () => {
  it('are granted, listed, described and released', async () => {
    const lease = await json('allocate', '--id', 'task-1', '--memory', '1Gi', '--cpu', '50%', '--ttl', '60s');
    expect(lease).toMatchObject({ requestId: 'task-1', state: 'active', amounts: { memory: 2 ** 30, cpu: 500 } });
    expect((await at('get', 'leases')).stdout).toContain(lease.id);
    expect((await json('describe', 'lease', lease.id)).events.map((event: { type: string }) => event.type)).toEqual([
      'LeaseGranted',
    ]);
    expect(await json('release', lease.id, '--token', String(lease.token))).toMatchObject({ state: 'released' });
  });

  it('are refused with what is short, and exit code 4', async () => {
    const refused = await at('allocate', '--memory', '900Gi');
    expect(refused).toMatchObject({ code: 4, stdout: '' });
    expect(refused.stderr).toContain('NEVER_FITS');
  });

  it('time out with 124 when the wait ends without room', async () => {
    const all = await json('allocate', '--memory', '7Gi', '--ttl', '60s');
    const late = await at('allocate', '--memory', '2Gi', '--wait', '200ms');
    await at('release', all.id, '--token', String(all.token));
    expect(late.code).toBe(124);
    expect(late.stderr).toContain('WAIT_EXPIRED');
  });

  it('carry a command, whose exit code is the exit code', async () => {
    const ran = await at(
      'allocate',
      '--memory',
      '1Gi',
      '--',
      process.execPath,
      '-e',
      'console.log(process.env.RPM_LEASE_TOKEN); process.exit(7)',
    );
    expect(ran.code).toBe(7);
    expect(Number(ran.stdout)).toBeGreaterThan(0);
    expect((await json('get', 'leases', '--state', 'active')).length).toBe(0);
  });
});

describe('wrong usage', () => {
  it.each([
    [['allocate', '--memory', '1Xi']],
    [['allocate']],
    [['release', 'x']],
    [['nonsense']],
    [['at', 'yesterday']],
  ])('%j exits with 2 and prints no data', async (args) => {
    expect(await at(...args)).toMatchObject({ code: 2, stdout: '' });
  });

  it('an unknown lease is 3', async () => {
    expect((await at('release', 'nothing', '--token', '1')).code).toBe(3);
    expect((await at('at', '99999')).code).toBe(3);
  });
});

describe('the past', () => {
  it('shows the pool as it was, on the server and in its log alike', async () => {
    const { revision } = await json('get', 'pool');
    const lease = await json('allocate', '--memory', '1Gi');
    await at('release', lease.id, '--token', String(lease.token));
    const during = await json('at', String(revision + 1));
    expect(during).toMatchObject({ revision: revision + 1, leases: 1 });
    const log = `sqlite:${join(server.dataDir, 'pool.db')}`;
    const offline = await poolctl('at', String(revision + 1), '--store', log, '-o', 'json');
    expect({ ...JSON.parse(offline.stdout), breaker: during.breaker }).toEqual(during);
  });

  it('replays twice to the same hash, and checks', async () => {
    const log = `sqlite:${join(server.dataDir, 'pool.db')}`;
    const replay = await poolctl('replay', '--verify', '--store', log);
    expect(replay.stdout).toMatch(/twice the same\nsha256 [0-9a-f]{64}/);
    expect(await poolctl('check', '--store', log)).toMatchObject({ code: 0 });
  });
});

describe('serve', () => {
  it('stops cleanly on SIGTERM and goes on where it was, after a kill -9 too', async () => {
    const data = join(dir, 'restart');
    let own = await serve(data);
    const lease = JSON.parse(
      (await poolctl('allocate', '--id', 'kept', '--memory', '1Gi', '-o', 'json', '--server', own.url)).stdout,
    );
    expect((await own.stop('SIGTERM')).code).toBe(0);
    own = await serve(data);
    await own.stop('SIGKILL');
    own = await serve(data);
    const found = JSON.parse(
      (await poolctl('get', 'leases', '--state', 'active', '-o', 'json', '--server', own.url)).stdout,
    );
    expect(found).toMatchObject([{ id: lease.id, requestId: 'kept', token: lease.token }]);
    expect((await own.stop('SIGINT')).code).toBe(0);
  });

  it('says every wrong field of a configuration, and which values are allowed', async () => {
    const wrong = await poolctl(
      'serve',
      '--port',
      '0',
      '--data',
      join(dir, 'wrong'),
      '--set',
      'maxPoolSize=-1',
      '--set',
      'breaker.openMs=x',
    );
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/maxPoolSize: -1[\s\S]*breaker\.openMs: "x"/);
  });
});
