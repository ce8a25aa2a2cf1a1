import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decided, decide } from '../../src/domain/decide.ts';
import { evolve } from '../../src/domain/evolve.ts';
import { Journal } from '../../src/domain/ledger/journal.ts';
import { StatePacker, unpackState } from '../../src/domain/ledger/pack.ts';
import { canonicalState } from '../../src/domain/snapshot.ts';
import type { PoolState } from '../../src/domain/state.ts';
import type { Command } from '../../src/model/commands.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { type Choice, checkInvariants, checkLog } from '../../src/testing/index.ts';
import { Simulation } from './simulate.ts';

const number = fc.nat(9_999);
const choice: fc.Arbitrary<Choice> = fc.tuple(fc.nat(999_999), number, number, number, number);
const choices = fc.array(choice, { maxLength: 150, size: 'max' });
/** A failure is shrunk for so long at most. */
const RUNS = { numRuns: 150, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true };

/** A pool to which the choices have happened, and its log. */
function ran(drawn: readonly Choice[]): { pool: Simulation; log: RecordedPoolEvent[] } {
  const pool = new Simulation();
  const log: RecordedPoolEvent[] = [];
  const run = (command: Command) => log.push(...decide(pool.state, command, pool.context).events);
  pool.start().forEach(run);
  for (const each of drawn) {
    const command = pool.command(each);
    if (command !== undefined) run(command);
  }
  return { pool, log };
}

const copyOf = (state: PoolState): PoolState => read(new StatePacker(state));

const read = (packer: StatePacker): PoolState => unpackState(JSON.parse(JSON.stringify(packer.packed())));

/** What a decision says, at this moment: a live record may change later. */
const told = ({ events, answer }: Decided): string => JSON.stringify([events, answer.kind, answer]);

describe('an undo', () => {
  it('leaves the state as it was, whatever was decided since the mark', () => {
    const property = fc.property(choices, choices, (before, batch) => {
      const { pool } = ran(before);
      const journal = new Journal();
      const [text, mark] = [canonicalState(pool.state), journal.mark()];
      for (const each of batch) {
        const command = pool.command(each);
        if (command !== undefined) decide(pool.state, command, pool.context, journal);
      }
      journal.undoTo(mark);
      expect(canonicalState(pool.state)).toBe(text);
    });
    fc.assert(property, RUNS);
  });

  it('and going on afterwards is as if nothing had been decided: the same events and answers', () => {
    const property = fc.property(choices, choices, choices, (before, undone, after) => {
      const { pool } = ran(before);
      const untouched = copyOf(pool.state);
      const journal = new Journal();
      for (const each of undone) {
        const command = pool.command(each);
        if (command !== undefined) decide(pool.state, command, pool.context, journal);
      }
      journal.undoTo(0);
      for (const each of after) {
        const command = pool.command(each);
        if (command === undefined) continue;
        const one = told(decide(pool.state, command, pool.context));
        expect(told(decide(untouched, command, pool.context))).toBe(one);
      }
      expect(canonicalState(untouched)).toBe(canonicalState(pool.state));
    });
    fc.assert(property, RUNS);
  });
});

describe('a look back', () => {
  it('sees the state as it was at the mark, whenever one looks, and deciding goes on as if nobody had', () => {
    const property = fc.property(choices, choices, choices, (before, batch, after) => {
      const { pool } = ran(before);
      const untouched = copyOf(pool.state);
      const journal = new Journal();
      const text = canonicalState(pool.state);
      for (const each of batch) {
        const command = pool.command(each);
        if (command === undefined) continue;
        const one = told(decide(pool.state, command, pool.context, journal));
        expect(told(decide(untouched, command, pool.context))).toBe(one);
        if (each[1] % 8 !== 0) continue;
        journal.goBack();
        expect(canonicalState(pool.state)).toBe(text);
        journal.goForth();
      }
      expect(canonicalState(pool.state)).toBe(canonicalState(untouched));
      journal.goBack();
      journal.clear();
      for (const each of after) {
        const command = pool.command(each);
        if (command === undefined) continue;
        const one = told(decide(pool.state, command, pool.context));
        expect(told(decide(untouched, command, pool.context))).toBe(one);
      }
    });
    fc.assert(property, { ...RUNS, numRuns: 50 });
  });

  it('and an undo from there takes back the same', () => {
    const property = fc.property(choices, choices, (before, batch) => {
      const { pool } = ran(before);
      const journal = new Journal();
      const text = canonicalState(pool.state);
      for (const each of batch) {
        const command = pool.command(each);
        if (command !== undefined) decide(pool.state, command, pool.context, journal);
      }
      journal.goBack();
      journal.undoTo(0);
      expect(canonicalState(pool.state)).toBe(text);
    });
    fc.assert(property, { ...RUNS, numRuns: 50 });
  });
});

describe('the log', () => {
  it('folds to the working state, with every state on the way allowed', () => {
    const property = fc.property(choices, (drawn) => {
      const { pool, log } = ran(drawn);
      expect(canonicalState(checkLog(log))).toBe(canonicalState(pool.state));
      expect(checkInvariants(log)).toEqual([]);
      const grants = log.filter((event) => event.type === 'LeaseGranted');
      if (grants.length > 0) expect(checkInvariants([...log, grants[0]!])).toHaveLength(1);
    });
    fc.assert(property, RUNS);
  });

  it('has dates that never go back, and ids of events that are its own', () => {
    const property = fc.property(choices, (drawn) => {
      const { log } = ran(drawn);
      expect(new Set(log.map((event) => event.id)).size).toBe(log.length);
      expect(log.every((event, i) => event.revision === i && event.at >= (log[i - 1]?.at ?? 0))).toBe(true);
    });
    fc.assert(property, RUNS);
  });
});

describe('a snapshot', () => {
  it('read again gives an equal state of its own', () => {
    const property = fc.property(choices, choices, (drawn, more) => {
      const { pool } = ran(drawn);
      const text = canonicalState(pool.state);
      const copy = copyOf(pool.state);
      expect(canonicalState(copy)).toBe(text);
      for (const each of more) {
        const command = pool.command(each);
        if (command !== undefined) decide(pool.state, command, pool.context);
      }
      expect(canonicalState(copy)).toBe(text);
    });
    fc.assert(property, RUNS);
  });

  it('is of the moment at which it was begun, whatever is folded while it is written down', () => {
    const property = fc.property(choices, choices, (drawn, more) => {
      const { pool } = ran(drawn);
      const text = canonicalState(pool.state);
      const parts = new StatePacker(pool.state).parts();
      const written: string[] = [];
      for (const each of more) {
        const command = pool.command(each);
        if (command !== undefined) decide(pool.state, command, pool.context);
        const next = parts.next();
        if (next.done !== true) written.push(JSON.stringify(next.value));
      }
      for (const part of parts) written.push(JSON.stringify(part));
      expect(canonicalState(unpackState(written.map((part) => JSON.parse(part))))).toBe(text);
    });
    fc.assert(property, RUNS);
  });

  it('and the tail of the log give what the whole log gives', () => {
    const property = fc.property(choices, fc.nat(), (drawn, cut) => {
      const { pool, log } = ran(drawn);
      const at = cut % log.length;
      const state = copyOf(checkLog(log.slice(0, at)));
      for (const event of log.slice(at)) evolve(state, event);
      expect(canonicalState(state)).toBe(canonicalState(pool.state));
    });
    fc.assert(property, RUNS);
  });
});
