/**
 * What the table, the timing wheel and the deadlines cost. Run: `node bench/parts/machines-rx.ts`. Figures are printed and
 * asserted nowhere; each is the median of the rounds, after one that warms up.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BREAKER_TRIGGERS, TIER_TRIGGERS } from '../../src/model/modes.ts';
import { Deadlines } from '../../src/time/deadlines.ts';
import { systemClock } from '../../src/time/system-clock.ts';
import { TimingWheel } from '../../src/time/timing-wheel.ts';
import { note, tell } from '../measure.ts';

const ROUNDS = 7;
const ENTRIES = 1_000_000;
const MAX_TTL_MS = 300_000;
const EXPIRED_LEASES = 10_000;
let sink = 0;

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Median ns for each of `count` operations. */
function nanoseconds(count: number, round: () => number): number {
  round();
  return (median(Array.from({ length: ROUNDS }, round)) / count) * 1e6;
}

function timed(run: () => void): number {
  const startMs = performance.now();
  run();
  return performance.now() - startMs;
}

const print = (what: string, p50: number, unit: 'ms' | 'ns'): void => tell({ what, p50, unit });

async function tables(): Promise<void> {
  const xstateMs = performance.now();
  await import('xstate');
  const buildMs = performance.now();
  const { nextTierMode, nextBreakerMode, TIER_INITIAL, BREAKER_INITIAL } = await import(
    '../../src/machines/transitions.ts'
  );
  print('xstate imported, cold', buildMs - xstateMs, 'ms');
  print('machines loaded and table compiled, cold', performance.now() - buildMs, 'ms');

  const count = 5_000_000;
  const walk = <Mode, Trigger>(
    next: (mode: Mode, trigger: Trigger) => Mode | undefined,
    start: Mode,
    all: readonly Trigger[],
  ) => {
    const triggers = Array.from({ length: 1_024 }, (_, n) => all[(n * 7) % all.length]!);
    return timed(() => {
      let mode = start;
      for (let n = 0; n < count; n++) mode = next(mode, triggers[n & 1_023]!) ?? mode;
      sink += mode === start ? 1 : 0;
    });
  };
  print(
    'look-up, tier',
    nanoseconds(count, () => walk(nextTierMode, TIER_INITIAL, TIER_TRIGGERS)),
    'ns',
  );
  const breakerNs = nanoseconds(count, () => walk(nextBreakerMode, BREAKER_INITIAL, BREAKER_TRIGGERS));
  print('look-up, breaker', breakerNs, 'ns');
}

/** Ticks of leases that live from a millisecond to five minutes. */
const randomTicks = (): Float64Array =>
  Float64Array.from({ length: ENTRIES }, () => 1 + Math.floor(Math.random() * MAX_TTL_MS));

function wheel(): void {
  const ticks = randomTicks();
  const filled = (): { wheel: TimingWheel; handles: Int32Array } => {
    const wheel = new TimingWheel(ENTRIES);
    return { wheel, handles: Int32Array.from(ticks, (tick) => wheel.insert(tick)) };
  };
  const insert = () => {
    const wheel = new TimingWheel(ENTRIES);
    return timed(() => {
      for (let n = 0; n < ENTRIES; n++) wheel.insert(ticks[n]!);
    });
  };
  const cancel = () => {
    const { wheel, handles } = filled();
    return timed(() => {
      for (let n = 0; n < ENTRIES; n++) wheel.cancel(handles[n]!);
    });
  };
  const expire = () => {
    const { wheel } = filled();
    const take = (entry: number): void => {
      sink += entry;
    };
    return timed(() => {
      for (let tick = 0; tick <= MAX_TTL_MS; tick += 100) while (wheel.expire(tick, 1_024, take) === 1_024);
    });
  };
  print('wheel of 1 M: insert', nanoseconds(ENTRIES, insert), 'ns');
  print('wheel of 1 M: cancel', nanoseconds(ENTRIES, cancel), 'ns');
  print('wheel of 1 M: expire, moving down included', nanoseconds(ENTRIES, expire), 'ns');
}

function keyed(): void {
  const keys = Array.from({ length: 100_000 }, (_, n) => `lease-${n}`);
  const schedule = () => {
    const deadlines = new Deadlines<string>({ clock: systemClock });
    const nowMs = systemClock.monotonic();
    const ms = timed(() => {
      for (let n = 0; n < keys.length; n++) deadlines.schedule(keys[n]!, nowMs + MAX_TTL_MS + n);
    });
    deadlines.stop();
    return ms;
  };
  print('deadlines by string key: schedule', nanoseconds(keys.length, schedule), 'ns');
}

/** 10 000 keys due at one instant: how long until all are told, and how long the event loop stood still. */
async function burst(): Promise<void> {
  const deadlines = new Deadlines<string>({ clock: systemClock });
  const dueMs = systemClock.monotonic() + 200;
  for (let n = 0; n < EXPIRED_LEASES; n++) deadlines.schedule(`lease-${n}`, dueMs);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let told = 0;
  await new Promise<void>((resolve) => {
    deadlines.due$.subscribe((keys) => {
      told += keys.length;
      if (told === EXPIRED_LEASES) resolve();
    });
    const alive = setInterval(() => told === EXPIRED_LEASES && clearInterval(alive), 5);
  });
  print('10 000 due at once: told after', systemClock.monotonic() - dueMs, 'ms');
  print('10 000 due at once: event-loop delay, longest', delay.max / 1e6, 'ms');
}

await tables();
wheel();
keyed();
await burst();
note(`medians of ${ROUNDS} rounds after one that warms up; checksum ${sink % 1_000}`);
