import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';
import { problemsOf } from './dialogue.ts';
import { dialogue } from './differential/dialogues.ts';
import { record } from './differential/recorder.ts';

const REAL = process.env['EVENTSTORE_URL'];
const RUNS = Number(process.env['EVENTSTORE_DIALOGUES'] ?? 200);

let server: EventStoreDbProcess;

beforeAll(async () => {
  server = await startEventStoreDb({ fsync: false });
});
afterAll(() => server.stop());

test.skipIf(REAL === undefined)(
  'the test server answers random dialogues as the server at EVENTSTORE_URL does',
  async () => {
    const { host } = new URL(REAL!);
    const property = fc.asyncProperty(dialogue, async (steps) => {
      const recorded = await record(host, 'random dialogue', '', steps);
      expect(await problemsOf(`127.0.0.1:${server.port}`, recorded)).toEqual([]);
    });
    await fc.assert(property, { numRuns: RUNS, interruptAfterTimeLimit: 500_000 });
  },
);
