import { spawn } from 'node:child_process';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Finished, poolctl, running, type Serving, scratch, serve } from './poolctl.ts';

const { dir, remove } = scratch();
let server: Serving;
let store: string;
let held: [{ id: string }];
const at = (...args: string[]) => poolctl('--server', server.url, ...args);
const json = async (...args: string[]) => JSON.parse((await at('-o', 'json', ...args)).stdout);

beforeAll(async () => {
  server = await serve(join(dir, 'data'));
  store = `sqlite:${join(server.dataDir, 'pool.db')}`;
  const granted = await at('allocate', '--id', 'held', '--memory', '7Gi', '--ttl', '1h', '--owner', 'ann');
  expect(granted, granted.stderr).toMatchObject({ code: 0 });
  expect(await at('allocate', '--memory', '2Gi')).toMatchObject({ code: 4 });
  held = await json('get', 'leases');
  const headers = { 'content-type': 'application/json', prefer: 'respond-async' };
  const body = JSON.stringify({ id: 'waits', requirements: { memory: '2Gi' }, waitMs: 3_600_000 });
  await fetch(`${server.url}/v1/leases`, { method: 'POST', headers, body });
});
afterAll(async () => {
  await server.stop();
  remove();
});

/** Every command that prints data, and what its table must show. */
const PRINTS: readonly (readonly [args: string[], table: RegExp, wide: RegExp])[] = [
  [['get', 'leases'], /^ID +REQUEST .*\n\S+ +held +1 +standard +normal +ann +memory=7Gi +active /, /BORROWED +GRANTED/],
  [['get', 'requests'], /^REQUEST .*\nwaits +0 +standard .*memory=2Gi/, /UNTIL/],
  [['get', 'tiers'], /^TIER .*\ncritical +open/, /BORROWED +LENT/],
  [['get', 'pool'], /^pool default at revision \d+/, /BORROWED +LENT/],
  [['describe', 'lease', 'HELD'], /requestId +held[\s\S]*events\n +\d+ .*LeaseGranted/, /LeaseGranted/],
  [['events', '--limit', '5'], /^ +0 .*PoolOpened/, /PoolOpened/],
  [['refusals', '--limit', '1'], /^ +0 .*RequestRefused/, /EXHAUSTED/],
  [['at', '4'], /^pool default at revision 4/, /LENT/],
  [['replay', '--to', '4'], /^revision 4: 5 events in [\d.]+ s, \d+ events\/s\nsha256 [0-9a-f]{64}\n$/, /sha256/],
];

/** What each format makes of the same data. */
const FORMATS = ['wide', 'yaml', 'ndjson'] as const;

describe('data goes to stdout in the form that is asked for', () => {
  test.each(PRINTS)('%j', async (args, table, wide) => {
    const [{ id }] = held;
    const said = async (format: string): Promise<string> => {
      const { code, stdout, stderr } = await at('-o', format, ...args.map((arg) => (arg === 'HELD' ? id : arg)));
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      return stdout;
    };
    expect(await said('table')).toMatch(table);
    const asJson = await said('json');
    if (args[0] !== 'get') return;
    const [asWide, asYaml, asLines] = await Promise.all(FORMATS.map(said));
    const value = JSON.parse(asJson);
    expect(asWide).toMatch(wide);
    expect(parse(asYaml!)).toEqual(value);
    const lines = asLines!
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(Array.isArray(value) ? value : [value]);
  });

  test('no colour, with NO_COLOR or without; talk goes to stderr', async () => {
    const wrong = await at('allocate', '--memory', '900Gi');
    expect(wrong).toMatchObject({ code: 4, stdout: '' });
    expect(wrong.stderr).toBe(
      'poolctl: NEVER_FITS: the request is larger than can ever be granted\n  at most: memory=7.6Gi\n',
    );
    const busy = await at('allocate', '--memory', '2Gi');
    expect(busy.stderr).toMatch(/^poolctl: EXHAUSTED: .*\n {2}short of: memory=1\.4Gi\n {2}retry after: 1m00s\n$/);
    for (const { stdout, stderr } of [wrong, busy, await at('get', 'pool')])
      expect(stdout + stderr).not.toContain('\u001b');
  });

  test('a reader that goes away ends it quietly', async () => {
    const main = new URL('../../src/cli/main.ts', import.meta.url).pathname;
    const script = `set -o pipefail; "${process.execPath}" "${main}" --server ${server.url} events -f -o ndjson | head -n 1`;
    const piped = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [piped.stdout, piped.stderr]) stream.on('data', (chunk) => (said += chunk));
    const ended = new Promise((resolve) => piped.once('close', resolve));
    await expect.poll(() => said, { timeout: 10_000 }).toContain('PoolOpened');
    await at('cordon', 'besteffort'); // something to write to the closed pipe
    await at('uncordon', 'besteffort');
    expect(await ended).toBe(0);
    expect(said.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('events', () => {
  test.each(['server', 'store'])(
    '--follow goes on with what is committed, from where it is told (%s)',
    async (where) => {
      const { revision } = await json('get', 'pool');
      const source = where === 'server' ? ['--server', server.url] : ['--store', store];
      const follow = running(
        ...source,
        '-o',
        'ndjson',
        'events',
        '--follow',
        '--from',
        String(revision + 1),
        '--type',
        'TierModeChanged',
      );
      await at('cordon', 'besteffort');
      await at('uncordon', 'besteffort');
      const seen = () =>
        follow
          .out()
          .trimEnd()
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line));
      await expect
        .poll(() => seen().map(({ data }) => data.to.admission), { timeout: 15_000 })
        .toEqual(['cordoned', 'open']);
      expect(seen()[0].revision).toBe(revision + 1);
      follow.kill('SIGTERM');
      await follow.ended;
    },
  );

  test('are those that are asked for', async () => {
    const types = async (...flags: string[]) =>
      (await at('-o', 'ndjson', 'events', ...flags)).stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).type);
    expect(await types('--to', '3')).toEqual(['PoolOpened', 'WriterStarted', 'ConfigChanged', 'CapacityObserved']);
    expect(await types('--owner', 'ann')).toEqual(['LeaseGranted']);
    expect(await types('--type', 'LeaseGranted', 'RequestQueued')).toEqual(['LeaseGranted', 'RequestQueued']);
    expect((await at('events', '--type', 'Nothing')).code).toBe(2);
  });
});

describe('the log beside its writer', () => {
  test('tells what the server tells, and changes nothing', async () => {
    for (const args of [
      ['get', 'leases'],
      ['get', 'requests'],
      ['get', 'pool'],
      ['at', '4'],
      ['events'],
      ['refusals'],
    ]) {
      const [fromServer, fromStore] = await Promise.all([
        at('-o', 'json', ...args),
        poolctl('--store', store, '-o', 'json', ...args),
      ]);
      const comparable = (text: string) => text.replaceAll(/"estimatedStartMs": \d+/g, '');
      expect(comparable(fromStore.stdout)).toBe(comparable(fromServer.stdout));
    }
    expect(await poolctl('--store', store, 'release', 'x', '--token', '1')).toMatchObject({ code: 2 });
  });

  test('replays to one hash: on the server and in its log, twice, and after a restart', async () => {
    const { revision } = await json('get', 'pool');
    const hash = ({ stdout }: Finished) => JSON.parse(stdout).sha256;
    const replay = ['-o', 'json', 'replay', '--verify', '--to', String(revision)];
    const first = await at(...replay);
    expect(JSON.parse(first.stdout)).toMatchObject({ revision, events: revision + 1, verified: true });
    expect(hash(await poolctl('--store', store, ...replay))).toBe(hash(first));
    await server.stop();
    server = await serve(join(dir, 'data'));
    expect(hash(await at(...replay))).toBe(hash(first));
    expect(hash(await poolctl('--store', store, ...replay, '--from', '3'))).toBe(hash(first));
  });

  test('check finds damage with its place, and exits with 3', async () => {
    expect(await poolctl('--store', store, 'check')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ok: \d+ events, \d+ refusals\n$/),
    });
    const own = await serve(join(dir, 'damaged'));
    await own.stop();
    const file = join(own.dataDir, 'pool.db');
    const bytes = await readFile(file);
    const at = bytes.indexOf('"poolId":"default"');
    expect(at).toBeGreaterThan(0);
    bytes[at + 3]! ^= 1;
    await copyFile(file, `${file}.kept`);
    await writeFile(file, bytes);
    const checked = await poolctl('--store', `sqlite:${file}`, 'check');
    expect(checked).toMatchObject({ code: 3, stdout: '' });
    expect(checked.stderr).toMatch(/pool-default.*revision 0/);
    const refused = await poolctl('serve', '--port', '0', '--data', own.dataDir);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/pool-default.*revision 0/);
  });

  test('that is not there is told as such', async () => {
    const none = await poolctl('--store', `sqlite:${join(dir, 'none.db')}`, 'get', 'pool');
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('none.db') });
    const other = await poolctl('--store', store, '--pool', 'other', 'get', 'pool');
    expect(other).toMatchObject({ code: 3, stderr: expect.stringContaining('no pool other') });
    const closed = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => closed.once('listening', resolve));
    const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
    await new Promise((resolve) => closed.close(resolve));
    const nobody = await poolctl('--server', url, 'get', 'pool');
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining(`nobody answers at ${url}`) });
  });
});

describe('operating', () => {
  test('tiers, breaker and configuration are changed and shown', async () => {
    expect((await at('cordon', 'critical')).stdout).toBe('tier critical: cordoned\n');
    expect((await at('uncordon', 'critical', '-o', 'json')).stdout).toContain('"admission": "open"');
    expect((await at('breaker', 'disabled')).stdout).toBe('breaker: disabled\n');
    expect((await at('breaker', 'closed', '-o', 'yaml')).stdout).toMatch(/^mode: closed/);
    expect((await at('breaker', 'open')).code).toBe(2);
    expect(await json('config', '--set', 'leases.graceMs=7', '--set', 'maxPoolSize=99')).toMatchObject({
      config: { maxPoolSize: 99, leases: { graceMs: 7 } },
    });
    const wrong = await at('config', '--set', 'maxPoolSize=-1');
    expect(wrong).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/maxPoolSize: -1 is not allowed; allowed: a whole number/),
    });
    expect((await at('cordon', 'none')).code).toBe(3);
  });
});

describe('serve', () => {
  test('takes what is wrong in flags and variables as an error that names it', async () => {
    const rows: readonly (readonly [string[], RegExp])[] = [
      [['--port', 'x'], /--port.*x/],
      [['--port', '99999'], /port: 99999/],
      [['--host', '0.0.0.0'], /host: "0\.0\.0\.0".*loopback/],
      [['--log-level', 'loud'], /loud.*Allowed choices/],
      [['--config', '/no/such'], /\/no\/such/],
      [['--set', 'nothing'], /NAME=VALUE/],
      [['--set', 'nothing=1'], /nothing: 1 is not allowed.*no such field/],
      [['--pool', 'x-audit'], /poolId: "x-audit"/],
      [['--store', 'foo:'], /store: "foo:" is not allowed; allowed: memory:/],
    ];
    await Promise.all(
      rows.map(async ([flags, said]) => {
        const finished = await poolctl('serve', '--data', join(dir, 'wrong'), ...flags);
        expect(finished, String(flags)).toMatchObject({ code: 2, stdout: '' });
        expect(finished.stderr, String(flags)).toMatch(said);
      }),
    );
  });

  test('a port and a store that are taken are told as such', async () => {
    const port = new URL(server.url).port;
    const taken = await poolctl('serve', '--port', port, '--data', join(dir, 'other'));
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining(`port ${port} of 127.0.0.1 is in use`) });
    const held = await poolctl('serve', '--port', '0', '--data', server.dataDir);
    expect(held).toMatchObject({ code: 1, stderr: expect.stringMatching(new RegExp(`held by pid ${server.pid}`)) });
  });
});
