import { expect, test } from 'vitest';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { Committed } from '../../src/time/committed.ts';

const batchOf = (...revisions: number[]): RecordedPoolEvent[] =>
  revisions.map((revision) => ({
    id: `e${revision}`,
    type: 'PoolDrainEnded',
    schemaVersion: 1,
    at: revision,
    data: {},
    metadata: { correlationId: 'c', causationId: 'c', actor: 'test' },
    stream: 'pool-test',
    revision,
  }));
const revisionsOf = (batches: readonly (readonly RecordedPoolEvent[])[]) =>
  batches.map((batch) => batch.map((event) => event.revision));

test('listeners and observers are told each batch once, in the order of the log', () => {
  const committed = new Committed();
  const heard: (readonly RecordedPoolEvent[])[] = [];
  const observed: (readonly RecordedPoolEvent[])[] = [];
  committed.subscribe((batch) => heard.push(batch));
  committed.committed$.subscribe((batch) => observed.push(batch));
  const first = batchOf(0, 1);
  committed.publish(first);
  committed.publish([]);
  committed.publish(batchOf(2));
  expect(revisionsOf(heard)).toEqual([[0, 1], [2]]);
  expect(revisionsOf(observed)).toEqual([[0, 1], [2]]);
  expect(heard[0]).toBe(first);
});

test('a batch that a listener publishes is told to all after the present one', () => {
  const committed = new Committed();
  const heard: (readonly RecordedPoolEvent[])[] = [];
  committed.subscribe((batch) => {
    if (batch[0]?.revision === 0) committed.publish(batchOf(1));
  });
  committed.subscribe((batch) => heard.push(batch));
  committed.publish(batchOf(0));
  expect(revisionsOf(heard)).toEqual([[0], [1]]);
});

test('who leaves is told no more, also when the same listener came twice', () => {
  const committed = new Committed();
  let calls = 0;
  const listener = () => void calls++;
  const leave = committed.subscribe(listener);
  committed.subscribe(listener);
  leave();
  leave();
  committed.publish(batchOf(0));
  expect(calls).toBe(1);
});

test('a listener that throws takes nothing from the others, and its error is not swallowed', async () => {
  const committed = new Committed();
  const heard: number[] = [];
  const uncaught: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => uncaught.push(error));
  committed.subscribe(() => {
    throw new Error('a bug');
  });
  committed.subscribe((batch) => heard.push(batch.length));
  committed.publish(batchOf(0));
  committed.publish(batchOf(1));
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.removeAllListeners('uncaughtException');
  for (const listener of before) process.on('uncaughtException', listener);
  expect(heard).toEqual([1, 1]);
  expect(uncaught.map(String)).toEqual(['Error: a bug', 'Error: a bug']);
});

test('closing completes the observers, those that come later too', () => {
  const committed = new Committed();
  let completed = 0;
  const observer = { complete: () => void completed++ };
  committed.committed$.subscribe(observer);
  committed.committed$.subscribe().unsubscribe();
  committed.close();
  committed.committed$.subscribe(observer);
  committed.publish(batchOf(0));
  expect(completed).toBe(2);
});
