import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EventStoreDbProcess, startEventStoreDb } from '../support/eventstoredb/start.ts';
import { type Case, problemsOf } from './dialogue.ts';

/** Recorded by differential/recorder.ts on EventStoreDB 24.6.0, single node, insecure, and stable there. */
const FILE = new URL('../support/eventstoredb/recorded/more-cases.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(FILE, 'utf8')) as { cases: readonly Case[] };

let server: EventStoreDbProcess;

beforeAll(async () => {
  server = await startEventStoreDb();
});
afterAll(() => server.stop());

/** Those that read $all with a count or a window must be alone on the server. */
const readsAll = ({ steps }: Case): boolean => JSON.stringify(steps).includes('"all":{');
const check = async (recorded: Case) => {
  expect(await problemsOf(`127.0.0.1:${server.port}`, recorded), recorded.about).toEqual([]);
};

test.concurrent.each(cases.filter((recorded) => !readsAll(recorded)))('$name', check);
test.each(cases.filter(readsAll))('$name', check);
