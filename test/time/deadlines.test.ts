import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts';
import { type DeadlineOptions, Deadlines } from '../../src/time/deadlines.ts';

function open(options: Partial<DeadlineOptions<string>> = {}) {
  const clock = fakeClock();
  const deadlines = new Deadlines<string>({ clock, ...options });
  const told: string[] = [];
  const say = (what: string) => void told.push(`${what}@${clock.monotonic()}`);
  deadlines.due$.subscribe((keys) => say(keys.join(',')));
  deadlines.gap$.subscribe((gapMs) => say(`gap ${gapMs}`));
  return { clock, deadlines, told };
}

describe('deadlines', () => {
  test('are told when they pass, in their order, never early', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('b', 250);
    deadlines.schedule('a', 100.4);
    deadlines.schedule('c', 250);
    clock.advance(1_000);
    expect(told).toEqual(['a@101', 'b,c@250']);
    expect(deadlines.size).toBe(0);
  });

  test('that were moved or cancelled are not told', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('renewed', 100);
    deadlines.schedule('released', 100);
    deadlines.schedule('renewed', 300);
    expect([deadlines.cancel('released'), deadlines.cancel('released')]).toEqual([true, false]);
    expect(deadlines.at('renewed')).toBe(300);
    expect(deadlines.at('released')).toBeUndefined();
    clock.advance(1_000);
    expect(told).toEqual(['renewed@300']);
  });

  test('in the past are told at once, but not from within schedule', () => {
    const { clock, deadlines, told } = open();
    clock.advance(500);
    deadlines.schedule('late', 100);
    expect(told).toEqual([]);
    clock.advance(0);
    expect(told).toEqual(['late@500']);
  });

  test('earlier than the one that is waited for are told in time', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('b', 500);
    clock.advance(100);
    deadlines.schedule('a', 200);
    clock.advance(900);
    expect(told).toEqual(['a@200', 'b@500']);
  });

  test('far beyond what a timer holds are kept', () => {
    const { clock, deadlines, told } = open({ heartbeatMs: 2 ** 40 });
    deadlines.schedule('far', 2 ** 33);
    clock.advance(2 ** 33 - 1);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual([`far@${2 ** 33}`]);
  });

  test('beyond the range of the wheel are held at its end', () => {
    const { deadlines } = open();
    deadlines.schedule('never', Number.POSITIVE_INFINITY);
    expect(deadlines.at('never')).toBe(2 ** 42 - 1);
  });

  test('that are none set no timer', () => {
    const { clock, deadlines } = open();
    deadlines.schedule('a', 100);
    clock.advance(100);
    expect(clock.pending()).toBe(0);
  });

  test('are not told after the stop', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('a', 100);
    deadlines.stop();
    deadlines.schedule('b', 200);
    expect(clock.pending()).toBe(0);
    clock.advance(1_000);
    expect(told).toEqual([]);
  });
});

describe('many at once', () => {
  test('are told in bounded batches, and the event loop goes round between them', () => {
    const { clock, deadlines } = open({ maxBatch: 4 });
    const sizes: number[] = [];
    deadlines.due$.subscribe((keys) => sizes.push(keys.length));
    for (let n = 0; n < 10; n++) deadlines.schedule(`k${n}`, 100);
    let turns = 0;
    clock.schedule(100, function turn() {
      turns++;
      if (sizes.length < 3) clock.schedule(0, turn);
    });
    clock.advance(100);
    expect(sizes).toEqual([4, 4, 2]);
    expect(turns).toBeGreaterThanOrEqual(3);
  });

  test('one that is renewed while a batch is told is not in the next batch', () => {
    const { clock, deadlines, told } = open({ maxBatch: 1 });
    deadlines.due$.subscribe(([key]) => key === 'a' && deadlines.schedule('b', 500));
    deadlines.schedule('a', 100);
    deadlines.schedule('b', 100);
    clock.advance(400);
    expect(told).toEqual(['a@100']);
    clock.advance(100);
    expect(told).toEqual(['a@100', 'b@500']);
  });
});

describe('a stall', () => {
  test('is told before the keys that fell due in it, with a turn of the event loop between', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('a', 50);
    clock.schedule(4_000, () => told.push('input that waited'));
    clock.stall(5_000);
    clock.advance(0);
    expect(told).toEqual(['gap 4950@5000', 'input that waited', 'a@5000']);
  });

  test('lets what was renewed in that turn live on', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('a', 50);
    deadlines.gap$.subscribe(() => deadlines.schedule('a', clock.monotonic() + 30_000));
    clock.stall(5_000);
    clock.advance(1_000);
    expect(told).toEqual(['gap 4950@5000']);
  });

  test('is seen by the heartbeat when nothing fell due in it', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('tomorrow', 86_400_000);
    clock.advance(1_000);
    clock.stall(10_000);
    clock.advance(0);
    expect(told).toEqual(['gap 9000@11000']);
  });

  test('shorter than the threshold is none', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('a', 50);
    clock.stall(1_050);
    clock.advance(0);
    expect(told).toEqual(['a@1050']);
  });

  test('that follows on a stall does not hold the keys back for ever', () => {
    const { clock, deadlines, told } = open();
    deadlines.schedule('a', 50);
    deadlines.gap$.subscribe(() => clock.stall(5_000));
    clock.stall(5_000);
    clock.advance(0);
    expect(told).toEqual(['gap 4950@5000', 'a@10000']);
  });
});

/** Every key with its deadline, told by looking at all of them at every millisecond. */
const naive = (scheduled: Map<string, number>, nowMs: number): string[] => {
  const due = [...scheduled].filter(([, atMs]) => atMs <= nowMs).map(([key]) => key);
  for (const key of due) scheduled.delete(key);
  return due;
};

const step = fc.oneof(
  fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: -50, max: 3_000 }))
    .map(([key, inMs]) => ({ kind: 'schedule' as const, key, inMs })),
  fc.constantFrom('a', 'b', 'c', 'd', 'e').map((key) => ({ kind: 'cancel' as const, key })),
  fc.integer({ min: 1, max: 1_500 }).map((ms) => ({ kind: 'advance' as const, ms })),
);

test('at every millisecond what is due has been told, and nothing else', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 3 }), (steps, maxBatch) => {
      const clock: FakeClock = fakeClock();
      const deadlines = new Deadlines<string>({ clock, maxBatch, heartbeatMs: 700 });
      const scheduled = new Map<string, number>();
      let told: string[] = [];
      deadlines.due$.subscribe((keys) => told.push(...keys));
      for (const next of steps) {
        if (next.kind === 'schedule') {
          deadlines.schedule(next.key, clock.monotonic() + next.inMs);
          scheduled.set(next.key, clock.monotonic() + next.inMs);
        } else if (next.kind === 'cancel') expect(deadlines.cancel(next.key)).toBe(scheduled.delete(next.key));
        else {
          for (let ms = 0; ms < next.ms; ms++) {
            clock.advance(1);
            expect(told.sort()).toEqual(naive(scheduled, clock.monotonic()).sort());
            told = [];
          }
        }
      }
    }),
    { numRuns: 50 },
  );
});
