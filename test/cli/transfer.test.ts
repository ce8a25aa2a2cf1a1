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
    expect((await poolctl('--store', to, 'import', file)).stdout).toContain('1 refusals, 0 of them there already');
    expect((await poolctl('--store', to, 'replay')).stdout.split('sha256')[1]).toBe(
      (await poolctl('--store', from, 'replay')).stdout.split('sha256')[1],
    );
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
