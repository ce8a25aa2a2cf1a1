import { describe, expect, test } from 'vitest';
import { Admission, SLICE_MS, Slice } from '../../src/time/turn.ts';

describe('a slice', () => {
  test('is over when its time is used up, and begins anew when the loop has turned', async () => {
    let nowMs = 0;
    let turns = 0;
    const turn = async (): Promise<void> => {
      turns += 1;
      nowMs += 100;
    };
    const slice = new Slice(turn, () => nowMs);
    const seen: number[] = [];
    for (let step = 0; step < 9; step += 1) {
      nowMs += SLICE_MS / 2;
      if (slice.isOver) await slice.next();
      seen.push(turns);
    }
    expect(seen).toEqual([0, 1, 1, 2, 2, 3, 3, 4, 4]);
    nowMs += 1_000;
    expect(slice.isOver).toBe(true);
    slice.begin();
    expect(slice.isOver).toBe(false);
  });
});

/** An admission on a clock of its own, whose turns of the loop come as they are told. */
function admission() {
  const time = { nowMs: 0 };
  let later: (() => void)[] = [];
  const queue = new Admission(
    (run) => void later.push(run),
    () => time.nowMs,
  );
  const turn = (): void => {
    const due = later;
    later = [];
    for (const run of due) run();
  };
  const begun: number[] = [];
  /** A work that takes so long. */
  const begin = (work: number, tookMs: number): void =>
    queue.begin(() => {
      begun.push(work);
      time.nowMs += tookMs;
    });
  const inTurn = (): number[] => {
    turn();
    return begun.splice(0);
  };
  return { begin, inTurn, begun: () => begun.splice(0), isIdle: () => later.length === 0 };
}

describe('works that begin', () => {
  test('do so at once while their turn has time, the others in later turns, a slice in each, in the order of coming', () => {
    const { begin, inTurn, begun, isIdle } = admission();
    for (let work = 0; work < 12; work += 1) begin(work, SLICE_MS / 2);
    expect(begun()).toEqual([0, 1]);
    const turns: number[][] = [];
    while (!isIdle()) turns.push(inTurn());
    expect(turns.flat()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    for (const works of turns) expect(works.length).toBeLessThanOrEqual(2);
    begin(12, 0);
    expect(begun()).toEqual([12]);
  });

  test('wait behind those that wait, though the turn has time', () => {
    const { begin, inTurn, begun } = admission();
    begin(0, SLICE_MS);
    begin(1, 0);
    expect(begun()).toEqual([0]);
    begin(2, 0);
    expect(begun()).toEqual([]);
    expect([...inTurn(), ...inTurn()]).toEqual([1, 2]);
  });

  test('are few in a turn, however short they are', () => {
    const { begin, inTurn, begun } = admission();
    begin(0, SLICE_MS);
    for (let work = 1; work <= 100; work += 1) begin(work, 0);
    begun();
    const turns = Array.from({ length: 120 }, () => inTurn().length);
    expect(Math.max(...turns)).toBeLessThanOrEqual(17);
    expect(turns.reduce((sum, works) => sum + works, 0)).toBe(100);
  });
});
