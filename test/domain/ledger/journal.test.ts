import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Journal, put } from '../../../src/domain/ledger/journal.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** A queue that was noted as the old one, and is held by nobody else once `end` has been called. */
function noted(journal: Journal, end: () => void): WeakRef<object> {
  const tier = { waiting: [{}] };
  const old = new WeakRef<object>(tier.waiting);
  for (const waiting of [[], [{}]]) put(journal, tier, 'waiting', waiting);
  end();
  tier.waiting = [];
  return old;
}

describe('a journal lets go of what it noted', () => {
  it.each([
    ['when it is committed', (journal: Journal) => journal.clear()],
    ['when it is undone, too', (journal: Journal) => journal.undoTo(0)],
  ])('%s', async (_, end) => {
    const journal = new Journal();
    const old = noted(journal, () => end(journal));
    await setImmediate();
    collect();
    expect(old.deref()).toBeUndefined();
    expect(journal.mark()).toBe(0);
  });
});
