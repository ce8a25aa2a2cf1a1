import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';
import { BATCH_CASES } from './cases/batch-cases.ts';
import { READ_CASES } from './cases/read-cases.ts';
import { WRITE_CASES } from './cases/write-cases.ts';
import { problemsOf } from './dialogue.ts';

let server: EventStoreDbProcess;

beforeAll(async () => {
  server = await startEventStoreDb();
});
afterAll(() => server.stop());

const ALL = [...WRITE_CASES, ...READ_CASES, ...BATCH_CASES];
const check = async (testCase: (typeof ALL)[number]) =>
  expect(await problemsOf(`127.0.0.1:${server.port}`, testCase)).toEqual([]);

// rules of the recorded server that its sample cases do not show: recorded/README.md, "Surprising" and "Order"
test.concurrent.each(ALL)('$name', check);
