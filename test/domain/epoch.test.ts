import { describe, expect, it } from 'vitest';
import { epochOf } from '../../src/domain/decide/epoch.ts';
import { type DecisionContext, decide } from '../../src/domain/decide.ts';
import { Journal } from '../../src/domain/ledger/journal.ts';
import { compilePlan, type Plan } from '../../src/domain/plan.ts';
import type { PoolState } from '../../src/domain/state.ts';
import type { CommandData, CommandType } from '../../src/model/commands.ts';
import { request, Spec } from './spec.ts';

/** A pool of which every request has one shape, whose plan is kept as a cache would. */
class Kept {
  readonly pool = new Spec({ leases: { quarantineMs: 0 } });
  readonly journal = new Journal();
  plan: Plan | undefined;
  readonly #context: DecisionContext = {
    ...this.pool.context,
    planFor: (state: PoolState, asked) => {
      this.plan ??= compilePlan(state, asked);
      return this.plan;
    },
  };

  ask(id: string, waitMs = 0) {
    const asked = request(id, { amounts: { cpu: 4_000 }, waitMs });
    return this.when('Allocate', { request: asked }).answer;
  }

  when<T extends CommandType>(type: T, data: CommandData[T]) {
    return decide(this.pool.state, this.pool.command(type, data), this.#context, this.journal);
  }

  /** Whether it is known that there is no room. */
  get lacks(): boolean {
    return this.plan?.lackedIn === epochOf(this.pool.state, this.journal);
  }
}

/** Two of the shape are held, 2000 are left. */
function full(): Kept {
  const kept = new Kept();
  kept.ask('a');
  kept.ask('b');
  expect(kept.lacks).toBe(false);
  kept.ask('c');
  expect(kept.lacks).toBe(true);
  return kept;
}

describe('"does not fit now"', () => {
  it('is kept for its epoch and answers exactly as the first time: what it lacks, where it would stand, when to come again', () => {
    const kept = full();
    const known = kept.ask('c');
    kept.plan!.lackedIn = -1;
    const decided = kept.ask('c');
    const told = (answer: typeof known) => ({ ...(answer as { refusal: object }).refusal, decisionId: null });
    expect(told(known)).toEqual(told(decided));
    expect(told(known)).toMatchObject({ code: 'EXHAUSTED', shortfall: { cpu: 2_000 }, position: 0 });
  });

  it('is believed: while the epoch stands nothing else is looked at', () => {
    const kept = new Kept();
    kept.plan = { ...compilePlan(kept.pool.state, request('x', { amounts: { cpu: 4_000 } })), lackedIn: 0 };
    kept.plan.lackedIn = epochOf(kept.pool.state, kept.journal);
    expect(kept.ask('a')).toMatchObject({ kind: 'refused', refusal: { code: 'EXHAUSTED', shortfall: {} } });
  });

  it('stands while more is taken, renewed and queued', () => {
    const kept = full();
    kept.pool.granted('small', { cpu: 1_000 });
    kept.when('Renew', { ...kept.pool.lease('a'), ttlMs: null });
    kept.ask('w', 1_000);
    expect(kept.lacks).toBe(true);
    expect(kept.ask('c')).toMatchObject({ refusal: { shortfall: { cpu: 3_000 }, position: 1 } });
  });

  it.each<[string, (kept: Kept) => void]>([
    ['a release', ({ pool }) => void pool.release(pool.lease('a'))],
    [
      'a reclamation',
      (kept) => kept.when('Revoke', { leaseId: kept.pool.lease('a').leaseId, reason: null, graceMs: 0 }),
    ],
    ['a change of mode', (kept) => kept.when('CordonTier', { tier: 'main' })],
    [
      'a change of capacity',
      (kept) => kept.when('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu: 9_000 } }),
    ],
    ['an undo', (kept) => kept.journal.undoTo(0)],
  ])('ends with %s', (_, act) => {
    const kept = full();
    act(kept);
    expect(kept.lacks).toBe(false);
  });

  it('that was found in a batch that is undone is not believed afterwards', () => {
    const kept = new Kept();
    const journal = kept.journal;
    const mark = journal.mark();
    kept.ask('a');
    kept.ask('b');
    kept.ask('c');
    journal.undoTo(mark);
    expect(kept.ask('c').kind).toBe('granted');
  });
});
