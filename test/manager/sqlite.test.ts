import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createResourceDetector } from '../../src/detection/detector.ts';
import { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import { type HealthMonitor, SILENT } from '../../src/model/interfaces.ts';
import { rejection } from './fixture.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The breaker would rightly open on a machine that starves; these tests are of the log. */
const CONFIG = { enableCircuitBreaker: false, reserve: '0%', tiers: [{ name: 'all', nominal: '100%' }] };

function open(options: object = {}): ResourcePoolManager {
  const detector = createResourceDetector({ capacity: { memory: 100 } });
  return new ResourcePoolManager(detector, CONFIG, { eventStore: `sqlite:${join(folder, 'pool.db')}`, ...options });
}

test('a pool on a file goes on where it was', async () => {
  const first = open();
  const lease = await first.allocate({ id: 'kept', requirements: { memory: 60 } });
  const refused = await first.tryAllocate({ requirements: { memory: 60 } });
  expect(refused).toMatchObject({ refused: { code: 'EXHAUSTED' } });
  await first.dispose();

  const second = open();
  expect(await second.getLease(lease.id)).toMatchObject({ requestId: 'kept', token: 1, state: 'active' });
  expect((await second.pageRefusals({}, {})).items.length).toBe(1);
  await second.release(lease);
  expect((await second.allocate({ requirements: { memory: 100 } })).token).toBe(2);
  await second.dispose();
});

/** The log as it lies closed at `from` in place of that at `to`; the snapshots stay. */
function setBack(from: string, to: string): void {
  for (const end of ['', '.mark']) copyFileSync(`${from}${end}`, `${to}${end}`);
}

test('a log that was set back to a backup goes on from there, whatever snapshot lies beside it', async () => {
  const [log, backup] = [join(folder, 'pool.db'), join(folder, 'backup.db')];
  const first = open();
  const kept = await first.allocate({ id: 'kept', requirements: { memory: 10 } });
  await first.dispose();
  setBack(log, backup);

  const second = open();
  const lost = await second.allocate({ id: 'lost', requirements: { memory: 90 } });
  await second.dispose();
  setBack(backup, log);

  const third = open();
  expect((await third.getLease(kept.id)).state).toBe('active');
  await expect(third.getLease(lost.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  for (let i = 0; i < 5; i++) await third.release(await third.allocate({ requirements: { memory: 90 } }));
  await third.dispose(); // its snapshot is of revisions that the log of `second` also had
  setBack(backup, log);

  const fourth = open();
  expect((await fourth.allocate({ requirements: { memory: 90 } })).token).toBe(kept.token + 1);
  await fourth.dispose();
});

test('many callers at once share commits, and each is answered by its own lease', async () => {
  const manager = open();
  await manager.ready();
  const before = (await manager.getMetrics()).appends.batches;
  const leases = await Promise.all(
    Array.from({ length: 100 }, () => manager.allocate({ requirements: { memory: 1 } })),
  );
  expect(new Set(leases.map(({ token }) => token)).size).toBe(100);
  expect((await manager.getMetrics()).appends.batches - before).toBeLessThan(10);
  await manager.dispose();
});

test('a second manager on the file is told who holds it; one on standby takes over when it is free', async () => {
  const first = open();
  const lease = await first.allocate({ requirements: { memory: 1 } });
  const error = await rejection(open().ready());
  expect(String(error)).toContain(String(process.pid));
  const standby = open({ standby: true });
  expect(standby.status().state).toBe('standby');
  await first.dispose();
  await standby.ready();
  expect((await standby.getLease(lease.id)).state).toBe('active');
  await standby.dispose();
});

test('dispose ends a standby that never got the file', async () => {
  const first = open();
  await first.ready();
  const standby = open({ standby: true });
  await standby.dispose();
  expect(standby.status().state).toBe('closed');
  await first.dispose();
});

test('a program that has nothing to do but wait for its leases gets them, over a store that it opened itself', async () => {
  const [index, stores] = ['index.ts', 'eventstore/open.ts'].map(
    (file) => new URL(`../../src/${file}`, import.meta.url),
  );
  const script = `
    const { createResourceDetector, ResourcePoolManager } = await import('${index}');
    const { openEventStore } = await import('${stores}');
    const eventStore = await openEventStore('sqlite:${join(folder, 'own.db')}');
    const detector = createResourceDetector({ capacity: { memory: 100 } });
    const manager = new ResourcePoolManager(detector, ${JSON.stringify(CONFIG)}, { eventStore });
    for (let i = 0; i < 3; i++) console.log((await manager.allocate({ requirements: { memory: 1 } })).token);`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
  expect(stdout).toBe('1\n2\n3\n');
});

test('a pool whose folder is removed grants nothing any more, is not ready, says why, and shows what it had granted', async () => {
  const [issues, errors]: [string[], string[]] = [[], []];
  const healthMonitor: HealthMonitor = {
    checkResourceHealth: async () => ({ healthy: true, at: 0, checks: [] }),
    reportResourceMetrics: () => undefined,
    alertResourceIssue: ({ code }) => void issues.push(code),
  };
  const logger = { ...SILENT, error: (_: object, message: string) => void errors.push(message) };
  const manager = open({ healthMonitor, logger });
  const kept = await manager.allocate({ requirements: { memory: 60 } });
  const waiting = rejection(manager.allocate({ requirements: { memory: 60 }, waitMs: 600_000 }));
  while ((await manager.listRequests()).items.length === 0) await turn();
  rmSync(folder, { recursive: true });
  const doubtful = await rejection(manager.release(kept)); // in doubt, unless the look of each second came first
  expect(doubtful).toMatchObject({ code: expect.stringMatching(/OUTCOME_UNKNOWN|LOG_UNAVAILABLE/) });
  for (const call of [() => manager.allocate({ requirements: { memory: 1 } }), () => manager.release(kept)])
    expect(await rejection(call())).toMatchObject({
      code: 'LOG_UNAVAILABLE',
      message: expect.stringMatching(/is gone/),
    });
  expect(manager.status()).toMatchObject({ ready: false, state: 'logUnavailable' });
  expect(manager.status().checks).toContainEqual({ name: 'log', ok: false, message: expect.stringMatching(/is gone/) });
  expect(await waiting).toMatchObject({ code: 'LOG_UNAVAILABLE' });
  expect((await manager.getLease(kept.id)).state).toBe('active');
  expect((await manager.pageEvents({ types: ['LeaseGranted'] }, {})).items).not.toHaveLength(0);
  await manager.dispose();
  expect(issues.filter((code) => code.startsWith('LOG_'))).toEqual(['LOG_LOST']);
  expect(errors).toEqual(['the files of the log are not its own any more']);
  expect(existsSync(folder)).toBe(false);
});
