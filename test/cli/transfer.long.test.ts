import { appendFileSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { poolctl, scratch, serve } from './poolctl.ts';

describe('poolctl export and import', () => {
  let remove = () => {};
  afterEach(() => remove());

  async function usedStore(dir: string): Promise<string> {
    const server = await serve(join(dir, 'a'));
    await poolctl('--server', server.url, 'allocate', '--id', 'task-1', '--memory', '1Gi', '--ttl', '10m');
    await poolctl('--server', server.url, 'allocate', '--memory', '900Gi');
    await server.stop();
    return `sqlite:${join(dir, 'a', 'pool.db')}`;
  }

  it('move a pool to another store, where its leases go on under their tokens', async () => {
    const { dir, remove: clean } = scratch();
    remove = clean;
    const [from, file, to] = [await usedStore(dir), join(dir, 'pool.ndjson'), `sqlite:${join(dir, 'b.db')}`];
    expect(await poolctl('--store', from, 'export', file)).toMatchObject({ code: 0 });
    const imported = await poolctl('--store', to, 'import', file);
    expect(imported.stdout).toContain('1 refusals, 0 of them there already');
    expect(imported.stdout).toContain(`new tokens begin above ${1 + 2 ** 40}`);
    expect(imported.stdout).toContain((await poolctl('--store', from, 'replay')).stdout.split('\n')[1]);
    const server = await serve(join(dir, 'c'), '--store', to);
    const leases = JSON.parse((await poolctl('--server', server.url, '-o', 'json', 'get', 'leases')).stdout);
    expect(leases[0]).toMatchObject({ requestId: 'task-1', token: 1, state: 'active' });
    expect(await poolctl('--server', server.url, 'renew', leases[0].id, '--token', '1')).toMatchObject({ code: 0 });
    await server.stop();
    expect(await poolctl('--store', to, 'check')).toMatchObject({ code: 0 });
  });

  it('go on with a file that was cut short, and refuse what is no export', async () => {
    const { dir, remove: clean } = scratch();
    remove = clean;
    const [from, file] = [await usedStore(dir), join(dir, 'pool.ndjson')];
    await poolctl('--store', from, 'export', file);
    const whole = readFileSync(file, 'utf8');
    expect((await poolctl('--store', from, 'export')).stdout).toBe(whole);
    truncateSync(file, Math.floor(whole.length / 2));
    const damaged = await poolctl('--store', `sqlite:${join(dir, 'b.db')}`, 'import', file);
    expect(damaged).toMatchObject({ code: 2 });
    expect((await poolctl('--store', from, 'export', file)).stderr).toContain('going on after');
    expect(readFileSync(file, 'utf8')).toBe(whole);
    expect((await poolctl('--store', from, 'export', file)).stderr).toContain('already');
    appendFileSync(file, 'more');
    expect(await poolctl('--store', from, 'export', file)).toMatchObject({ code: 3 });
    writeFileSync(file, 'somebody else’s');
    expect(await poolctl('--store', from, 'export', file)).toMatchObject({ code: 2 });
    expect(readFileSync(file, 'utf8')).toBe('somebody else’s');
    expect(await poolctl('--store', from, 'import', join(dir, 'absent'))).toMatchObject({ code: 1 });
    expect(await poolctl('export', file)).toMatchObject({ code: 2 });
  });
});

describe('poolctl backup and repair', () => {
  let remove = () => {};
  afterEach(() => remove());

  it('copy a store whose server grants and is killed; where the copy goes on no token is given twice', async () => {
    const { dir, remove: clean } = scratch();
    remove = clean;
    const server = await serve(join(dir, 'a'));
    const [store, copy] = [`sqlite:${join(dir, 'a', 'pool.db')}`, join(dir, 'copy.db')];
    const [first, during] = [await Promise.all(grants(server.url, 8)), grants(server.url, 64)];
    const [backup, ...later] = await Promise.all([poolctl('--store', store, 'backup', '--to', copy), ...during]);
    expect(backup).toMatchObject({ code: 0, stdout: expect.stringContaining('verified') });
    const after = await Promise.all(grants(server.url, 8));
    await server.stop('SIGKILL');
    expect(await poolctl('--store', store, 'backup', '--to', copy)).toMatchObject({ code: 2 });
    const [restored, repaired] = [await serve(dir, '--store', `sqlite:${copy}`), join(dir, 'repaired.db')];
    const given = new Set([...first, ...later, ...after]);
    for (const token of await Promise.all(grants(restored.url, 8))) expect(given.has(token)).toBe(false);
    await restored.stop();
    expect(await poolctl('--store', store, 'repair', '--to', repaired)).toMatchObject({ code: 0 });
    expect(await poolctl('--store', `sqlite:${repaired}`, 'check')).toMatchObject({ code: 0 });
  });

  it('a damaged store is told with its place and what to do, by check and serve, and stays as it is', async () => {
    const { dir, remove: clean } = scratch();
    remove = clean;
    const server = await serve(join(dir, 'a'));
    const path = join(dir, 'a', 'pool.db');
    await Promise.all(grants(server.url, 4));
    await server.stop('SIGKILL');
    const wal = readFileSync(`${path}-wal`);
    const [mark, before] = [readFileSync(`${path}.mark`), readFileSync(path)];
    wal[32 + 24 + 8_192 + 24 + 100]! ^= 4;
    writeFileSync(`${path}-wal`, wal);
    const told = [
      await poolctl('--store', `sqlite:${path}`, 'check'),
      await poolctl('serve', '--data', join(dir, 'a')),
    ];
    for (const { code, stderr } of told) {
      expect(code).toBe(3);
      expect(stderr).toMatch(
        /pool\.db, position \d+: .*acknowledged events are lost.*poolctl --store sqlite:FILE repair --to NEW/s,
      );
    }
    expect([readFileSync(path), readFileSync(`${path}-wal`), readFileSync(`${path}.mark`)].map(String)).toEqual(
      [before, wal, mark].map(String),
    );
    const repaired = await poolctl(
      '--store',
      `sqlite:${path}`,
      'repair',
      '--to',
      join(dir, 'new.db'),
      '--token-floor',
      '1',
    );
    expect(repaired).toMatchObject({ code: 2, stderr: expect.stringContaining('token floor: 1 is not allowed') });
  });
});

/** The tokens of as many new leases. */
const grants = (url: string, count: number): Promise<number>[] =>
  Array.from({ length: count }, async () => {
    const body = '{"requirements":{"memory":1},"ttlMs":600000}';
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${url}/v1/leases`, { method: 'POST', headers, body });
    return ((await answer.json()) as { token: number }).token;
  });
