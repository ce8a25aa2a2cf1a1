import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url).pathname;
const ROLLDOWN = join(dirname(createRequire(import.meta.url).resolve('rolldown/package.json')), 'bin/cli.mjs');

/** Within the project, so that the packages that are not in the bundle are found. */
const folder = mkdtempSync(join(ROOT, 'node_modules/.bundle-'));
const bin = join(folder, 'bin/poolctl.js');

describe('poolctl as it is packed', () => {
  beforeAll(async () => {
    await run(process.execPath, [ROLLDOWN, '--config', 'rolldown.config.ts', '--dir', join(folder, 'bin')], {
      cwd: ROOT,
    });
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true }));

  test('lists its commands', async () => {
    expect((await run(process.execPath, [bin, '--help'])).stdout).toContain('poolctl [options] [command]');
  });

  test('serves, grants over HTTP, and stops cleanly', async () => {
    const server = spawn(process.execPath, [bin, 'serve', '--port', '0', '--data', folder], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = new Promise((resolve) => server.once('exit', resolve));
    const { value } = await createInterface(server.stdout)[Symbol.asyncIterator]().next();
    const url = String(value).replace('listening on ', '');
    const { stdout } = await run(process.execPath, [bin, '--server', url, 'allocate', '--memory', '1Mi', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ state: 'active', requirements: { memory: '1Mi' } });
    for (const path of ['/openapi.json', '/metrics', '/v1/pool', '/readyz'])
      expect((await fetch(url + path)).status, path).toBe(200);
    server.kill('SIGTERM');
    expect(await ended).toBe(0);
  }, 30_000);
});
