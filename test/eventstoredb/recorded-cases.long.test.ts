import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';

const RUNNER = fileURLToPath(new URL('../support/eventstoredb/recorded/run.mjs', import.meta.url));
const CASE_COUNT = 78;

let server: EventStoreDbProcess;

beforeAll(async () => {
  server = await startEventStoreDb();
});
afterAll(() => server.stop());

interface Finished {
  readonly stdout: string;
  readonly stderr: string;
}

/** What the runner printed; it exits with 1 when a case failed, which the text says better. */
const runRecordedCases = (): Promise<Finished> =>
  promisify(execFile)(process.execPath, [RUNNER, `127.0.0.1:${server.port}`], { timeout: 110_000 }).catch(
    (error: Finished) => error,
  );

test('the server answers all 78 recorded cases as EventStoreDB 24.6.0 does', { timeout: 120_000 }, async () => {
  const { stdout, stderr } = await runRecordedCases();
  expect(`${stdout}${stderr}`).not.toContain('FAIL');
  expect(stdout.trim().split('\n').at(-1)).toBe(`${CASE_COUNT} passed, 0 failed`);
});
