import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { poolctl, running, type Serving, scratch, serve } from './poolctl.ts';

const { dir, remove } = scratch();
let server: Serving;
const client = () => createClient({ url: server.url });
beforeAll(async () => {
  server = await serve(join(dir, 'data'));
});
afterAll(async () => {
  await server.stop();
  remove();
});

const node = (script: string): string[] => ['--', process.execPath, '-e', script];
const under = (flags: readonly string[], script: string) =>
  running('--server', server.url, 'allocate', '--memory', '1Gi', ...flags, ...node(script));
const leaseOf = async (id: string) =>
  (await client().listLeases({ limit: 1000 })).items.filter(({ requestId }) => requestId === id).at(-1)!;
const typesOf = async (leaseId: string) =>
  (await client().reader.pageEvents({ leaseId }, { limit: 1000 })).items.map(({ type }) => type);

describe('a command under a lease', () => {
  test('keeps its lease as long as it runs, however often it must be renewed, and gives it back', async () => {
    const run = under(
      ['--id', 'long', '--ttl', '6s'],
      'process.on("SIGUSR2", () => process.exit(7)); setInterval(() => {}, 1000); console.log(process.pid)',
    );
    await expect.poll(run.out, { timeout: 10_000 }).toMatch(/^\d+\n$/);
    const { id } = await leaseOf('long');
    const renewals = async () => (await typesOf(id)).filter((type) => type === 'LeasesRenewed').length;
    await expect.poll(renewals, { timeout: 30_000 }).toBeGreaterThan(1);
    process.kill(Number(run.out()), 'SIGUSR2');
    expect((await run.ended).code).toBe(7);
    expect((await leaseOf('long')).state).toBe('released');
    const types = await typesOf(id);
    expect([types[0], types.at(-1)]).toEqual(['LeaseGranted', 'LeaseReleased']);
  });

  test('is told its lease, and its output is its own', async () => {
    const ran = await under(['--id', 'told'], 'console.log(process.env.RPM_LEASE_ID, process.env.RPM_LEASE_TOKEN)')
      .ended;
    const { id, token } = await leaseOf('told');
    expect(ran).toMatchObject({ code: 0, stdout: `${id} ${token}\n`, stderr: '' });
  });

  test('that dies by a signal gives 128 and the signal, that cannot be started 127', async () => {
    expect((await under(['--id', 'dies'], 'process.kill(process.pid, "SIGABRT")').ended).code).toBe(134);
    const missing = await poolctl(
      '--server',
      server.url,
      'allocate',
      '--id',
      'missing',
      '--memory',
      '1Gi',
      '--',
      '/no/such',
    );
    expect(missing.code).toBe(127);
    for (const id of ['dies', 'missing']) expect((await leaseOf(id)).state).toBe('released');
  });

  test('gets the signals that poolctl gets, and the lease is given back', async () => {
    const run = under(
      ['--id', 'signals'],
      'process.on("SIGINT", () => process.exit(9)); setInterval(() => {}, 1000); console.log("up")',
    );
    await expect.poll(run.out, { timeout: 10_000 }).toBe('up\n');
    run.kill('SIGINT');
    expect((await run.ended).code).toBe(9);
    expect((await leaseOf('signals')).state).toBe('released');
  });

  test('is stopped by SIGTERM when its lease is noticed, whatever its TTL; the code is 125', async () => {
    const run = under(
      ['--id', 'noticed', '--ttl', '1h'],
      'process.on("SIGTERM", () => { console.log("bye"); process.exit(0) }); setInterval(() => {}, 1000); console.log("up")',
    );
    await expect.poll(run.out, { timeout: 10_000 }).toBe('up\n');
    await client().revoke((await leaseOf('noticed')).id, { reason: 'needed elsewhere', graceMs: 60_000 });
    const ran = await run.ended;
    expect(ran).toMatchObject({ code: 125, stdout: 'up\nbye\n' });
    expect(ran.stderr).toMatch(/lease .* ends .*FENCED/);
    expect((await leaseOf('noticed')).state).toBe('released');
  });

  test('that does not heed SIGTERM is killed before its lease ends', async () => {
    const run = under(
      ['--id', 'stubborn', '--ttl', '1h'],
      'process.on("SIGTERM", () => {}); setInterval(() => console.log("on"), 50); console.log("up")',
    );
    await expect.poll(run.out, { timeout: 10_000 }).toContain('up\n');
    const lease = await leaseOf('stubborn');
    await client().revoke(lease.id, { reason: 'needed elsewhere', graceMs: 4_000 });
    expect((await run.ended).code).toBe(125);
    expect(await leaseOf('stubborn')).toMatchObject({ state: 'released' }); // not reclaimed: it was over in time
  });

  test('is stopped before its lease runs out when the server is gone', async () => {
    const own = await serve(join(dir, 'gone'));
    const run = running(
      '--server',
      own.url,
      'allocate',
      '--memory',
      '1Gi',
      '--ttl',
      '3s',
      ...node('setInterval(() => {}, 1000); console.log("up")'),
    );
    await expect.poll(run.out, { timeout: 10_000 }).toBe('up\n');
    await own.stop('SIGKILL');
    const gone = performance.now();
    expect((await run.ended).code).toBe(125);
    expect(performance.now() - gone).toBeLessThan(20_000);
  });
});
