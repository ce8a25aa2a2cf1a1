import { expect, test } from 'vitest';
import { Mailbox, type Wake } from '../../src/time/mailbox.ts';

function open(options: { limit?: number; wake?: Wake; takes?: number } = {}) {
  const batches: number[][] = [];
  const mailbox: Mailbox<number> = new Mailbox<number>({
    limit: () => options.limit ?? 100,
    wake: options.wake ?? 'microtask',
    drain: () => batches.push(mailbox.take(options.takes)),
  });
  return { mailbox, batches };
}

const microtasks = () => new Promise<void>((resolve) => process.nextTick(() => setTimeout(resolve, 0)));
const immediate = () => new Promise<void>((resolve) => setImmediate(resolve));

test('what comes before the drain is one batch, in arrival order', async () => {
  const { mailbox, batches } = open();
  for (const item of [1, 2, 3]) expect(mailbox.push(item)).toBe(true);
  expect(batches).toEqual([]);
  await Promise.resolve();
  expect(batches).toEqual([[1, 2, 3]]);
  mailbox.push(4);
  await Promise.resolve();
  expect(batches).toEqual([[1, 2, 3], [4]]);
});

test('with immediates, what comes from promises meanwhile is in the same batch', async () => {
  const { mailbox, batches } = open({ wake: 'immediate' });
  mailbox.push(1);
  await Promise.resolve();
  mailbox.push(2);
  await immediate();
  expect(batches).toEqual([[1, 2]]);
});

test('a full mailbox takes nothing in, and lets pass what must', async () => {
  const { mailbox, batches } = open({ limit: 2 });
  expect([mailbox.push(1), mailbox.push(2), mailbox.push(3)]).toEqual([true, true, false]);
  expect(mailbox.pass(4)).toBe(true);
  expect(mailbox.size).toBe(3);
  await microtasks();
  expect(batches).toEqual([[1, 2, 4]]);
  expect(mailbox.push(5)).toBe(true);
});

test('a drain that takes a part is called again until nothing is left', async () => {
  const { mailbox, batches } = open({ takes: 2 });
  for (const item of [1, 2, 3, 4, 5]) mailbox.push(item);
  await microtasks();
  expect(batches).toEqual([[1, 2], [3, 4], [5]]);
});

test('while it is held nothing is drained; the release drains what came', async () => {
  const { mailbox, batches } = open();
  mailbox.push(1);
  mailbox.hold(); // also a drain that is scheduled already
  mailbox.push(2);
  await microtasks();
  expect(batches).toEqual([]);
  mailbox.release();
  await microtasks();
  expect(batches).toEqual([[1, 2]]);
});

test('what is pushed from within a drain is drained next', async () => {
  const batches: number[][] = [];
  const mailbox: Mailbox<number> = new Mailbox<number>({
    limit: () => 10,
    wake: 'microtask',
    drain: () => {
      const batch = mailbox.take();
      batches.push(batch);
      if (batch[0] === 1) mailbox.push(2);
    },
  });
  mailbox.push(1);
  await microtasks();
  expect(batches).toEqual([[1], [2]]);
});

test('a drain that takes nothing is not called for ever', async () => {
  let calls = 0;
  const mailbox = new Mailbox<number>({ limit: () => 10, wake: 'microtask', drain: () => calls++ });
  mailbox.push(1);
  await microtasks();
  expect(calls).toBe(1);
});

test('a closed mailbox takes nothing in and resolves once what waited is taken', async () => {
  const { mailbox, batches } = open({ wake: 'immediate' });
  mailbox.push(1);
  let empty = false;
  const closed = mailbox.close().then(() => {
    empty = true;
  });
  expect([mailbox.push(2), mailbox.pass(3)]).toEqual([false, false]);
  await Promise.resolve();
  expect(empty).toBe(false);
  await closed;
  expect(batches).toEqual([[1]]);
  await mailbox.close();
});
