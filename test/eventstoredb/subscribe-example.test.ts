import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';

const EXAMPLE = new URL('../../examples/subscribe-eventstoredb.ts', import.meta.url).pathname;
const GUIDE = new URL('../../docs/guides/subscribing.md', import.meta.url).pathname;

let server: EventStoreDbProcess;
beforeAll(async () => {
  server = await startEventStoreDb({ fsync: false });
});
afterAll(() => server.stop());

it('a program with the plain client prints what is allocated, over a restart of the server too', async () => {
  const printed: string[] = [];
  const child = spawn(process.execPath, [EXAMPLE, server.url, 'watched'], { stdio: ['ignore', 'pipe', 'ignore'] });
  createInterface(child.stdout).on('line', (line) => printed.push(line));
  const detector = createResourceDetector({ capacity: { memory: '1Gi', cpu: 400 } });
  const manager = new ResourcePoolManager(detector, DEFAULT_POOL_CONFIG, { eventStore: server.url, poolId: 'watched' });
  const lease = await manager.allocate({ id: 'task-1', requirements: { memory: 100 } });
  await expect
    .poll(() => printed, { timeout: 20_000 })
    .toContainEqual(expect.stringMatching(/^\d+ LeaseGranted task-1$/));
  await server.restart();
  await expect
    .poll(
      () =>
        manager.release(lease).then(
          () => 'released',
          (error: { code: string }) => error.code,
        ),
      { timeout: 20_000 },
    )
    .toBe('released');
  await expect.poll(() => printed.at(-1), { timeout: 20_000 }).toMatch(new RegExp(`^\\d+ LeaseReleased ${lease.id}$`));
  await manager.dispose();
  child.kill();
  const revisions = printed.map((line) => Number(line.split(' ')[0]));
  expect(revisions).toEqual(revisions.map((_, n) => n));
});

it('the guide shows the loop of the example as it is', () => {
  const loop = (text: string) => text.slice(text.indexOf('for (;;) {'));
  const shown = loop(readFileSync(GUIDE, 'utf8'));
  expect(loop(readFileSync(EXAMPLE, 'utf8')).trim()).toBe(shown.slice(0, shown.indexOf('```')).trim());
});
