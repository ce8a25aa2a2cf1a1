import { describe, expect, test } from 'vitest';
import { createLiveActors, type LiveActorsFactory } from '../../src/machines/live/actors.ts';
import { tierMode } from '../../src/machines/transitions.ts';
import { configOf, HALF_OPEN_MS, noActors, OPEN_MS, SmallLoop } from './small-loop.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

async function tripped(factory: LiveActorsFactory): Promise<SmallLoop> {
  const loop = new SmallLoop(factory);
  loop.breakerTrigger('failures.high');
  await loop.clock.advanceAsync(OPEN_MS - 1);
  return loop;
}

async function draining(factory: LiveActorsFactory, drainMs: number): Promise<SmallLoop> {
  const loop = new SmallLoop(factory);
  loop.tierTrigger('standard', 'drain', drainMs);
  await loop.clock.advanceAsync(drainMs - 1);
  return loop;
}

const admissionOf = (loop: SmallLoop) => loop.tiers.get('standard')?.mode.admission;

describe('the actors own all waiting', () => {
  test('the breaker leaves open', async () => {
    const loop = await tripped(createLiveActors);
    expect(loop.breaker.mode).toBe('open');
    await loop.clock.advanceAsync(1);
    expect(loop.breaker.mode).toBe('halfOpen');
  });

  test('without actors the breaker stays open for ever', async () => {
    const loop = await tripped(noActors);
    await loop.clock.advanceAsync(DAY_MS);
    expect(loop.breaker.mode).toBe('open');
  });

  test('a drain ends at its deadline', async () => {
    const loop = await draining(createLiveActors, 60_000);
    expect(admissionOf(loop)).toBe('draining');
    await loop.clock.advanceAsync(1);
    expect(admissionOf(loop)).toBe('drained');
  });

  test('without actors a drain never ends', async () => {
    const loop = await draining(noActors, 60_000);
    await loop.clock.advanceAsync(DAY_MS);
    expect(admissionOf(loop)).toBe('draining');
  });

  test('a pressured tier samples faster', async () => {
    const loop = new SmallLoop(createLiveActors);
    await loop.clock.advanceAsync(2_000);
    expect(loop.looks).toEqual([]);
    loop.tierTrigger('standard', 'usage.high');
    await loop.clock.advanceAsync(2_000);
    expect(loop.looks).toEqual(['standard', 'standard', 'standard', 'standard']);
    expect(loop.commands).toEqual(Array(4).fill({ type: 'JudgeLoad', data: { tier: 'standard' } }));
  });

  test('without actors a pressured tier does not sample faster', async () => {
    const loop = new SmallLoop(noActors);
    loop.tierTrigger('standard', 'usage.high');
    await loop.clock.advanceAsync(DAY_MS);
    expect(loop.looks).toEqual([]);
    expect(loop.commands).toEqual([]);
  });
});

describe('waiting ends with the mode that waits', () => {
  test('a half-open breaker whose probes do not settle reopens', async () => {
    const loop = await tripped(createLiveActors);
    await loop.clock.advanceAsync(1 + HALF_OPEN_MS);
    expect(loop.breaker.mode).toBe('open');
    expect(loop.commands.map((command) => 'trigger' in command.data && command.data.trigger)).toEqual([
      'openElapsed',
      'halfOpenElapsed',
    ]);
  });

  test('a breaker that a hand has closed asks for nothing', async () => {
    const loop = await tripped(createLiveActors);
    loop.breakerTrigger('force.closed');
    await loop.clock.advanceAsync(DAY_MS);
    expect(loop.commands).toEqual([]);
    expect(loop.clock.pending()).toBe(0);
  });

  test('a tier that was uncordoned, or emptied, asks for no end of its drain', async () => {
    for (const trigger of ['uncordon', 'emptied'] as const) {
      const loop = await draining(createLiveActors, 60_000);
      loop.tierTrigger('standard', trigger);
      await loop.clock.advanceAsync(DAY_MS);
      expect(loop.commands).toEqual([]);
    }
  });

  test('a tier that is no longer pressured samples no more', async () => {
    const loop = new SmallLoop(createLiveActors);
    loop.tierTrigger('standard', 'usage.high');
    await loop.clock.advanceAsync(600);
    loop.tierTrigger('standard', 'usage.low');
    await loop.clock.advanceAsync(10_000);
    expect(loop.looks).toHaveLength(1);
  });

  test('a change of load leaves the deadline of a drain as it was', async () => {
    const loop = await draining(createLiveActors, 60_000);
    loop.tierTrigger('standard', 'usage.high');
    loop.tierTrigger('standard', 'usage.low');
    await loop.clock.advanceAsync(1);
    expect(admissionOf(loop)).toBe('drained');
  });

  test('a deadline beyond what a timer holds is kept', async () => {
    const loop = await draining(createLiveActors, 40 * DAY_MS);
    expect(admissionOf(loop)).toBe('draining');
    await loop.clock.advanceAsync(1);
    expect(admissionOf(loop)).toBe('drained');
  });

  test('stopped actors leave no timer', async () => {
    const loop = new SmallLoop(createLiveActors);
    loop.tierTrigger('standard', 'drain');
    loop.tierTrigger('standard', 'usage.high');
    loop.breakerTrigger('failures.high');
    expect(loop.clock.pending()).toBe(3);
    loop.actors.stop();
    expect(loop.clock.pending()).toBe(0);
  });
});

describe('waiting survives', () => {
  test('a restart: it goes on where it was', async () => {
    const loop = await draining(createLiveActors, 60_000);
    loop.breakerTrigger('failures.high');
    loop.tierTrigger('standard', 'usage.high');
    loop.restart();
    expect(loop.actors.modes().tiers.get('standard')).toBe(tierMode('draining', 'pressured'));
    await loop.clock.advanceAsync(1);
    expect(admissionOf(loop)).toBe('drained');
    await loop.clock.advanceAsync(OPEN_MS - 1);
    expect(loop.breaker.mode).toBe('halfOpen');
    expect(loop.looks.length).toBeGreaterThan(5);
  });

  test('a restart with a wall clock that was set back: a drain takes no longer than it could by the log', async () => {
    const loop = await draining(createLiveActors, 60_000);
    loop.actors.stop();
    loop.clock.jumpWall(-3_600_000);
    loop.restart();
    await loop.clock.advanceAsync(60_000);
    expect(admissionOf(loop)).toBe('drained');
  });

  test('a restart after the deadline: it ends at once', async () => {
    const loop = await draining(createLiveActors, 60_000);
    loop.actors.stop();
    await loop.clock.advanceAsync(HOUR_MS);
    loop.restart();
    await loop.clock.advanceAsync(0);
    expect(admissionOf(loop)).toBe('drained');
  });

  test('a wall clock that was set back while the process was down: the breaker waits at most its longest open time', async () => {
    const loop = await tripped(createLiveActors);
    loop.clock.jumpWall(-DAY_MS);
    loop.restart();
    const { maxOpenMs, jitterRatio } = loop.config.breaker;
    await loop.clock.advanceAsync(maxOpenMs * (1 + jitterRatio));
    expect(loop.breaker.mode).toBe('halfOpen');
  });

  test('a command that is lost: it is asked for again', async () => {
    const loop = await tripped(createLiveActors);
    loop.losing = true;
    await loop.clock.advanceAsync(3_500);
    expect(loop.breaker.mode).toBe('open');
    loop.losing = false;
    await loop.clock.advanceAsync(1_000);
    expect(loop.breaker.mode).toBe('halfOpen');
  });
});

describe('what the actors follow', () => {
  test('the breaker of another writer is not theirs', () => {
    const loop = new SmallLoop(createLiveActors);
    const change = loop.breakerChange('failures.high')!;
    loop.commitBreaker({ ...change, writerId: 'writer-b' });
    expect(loop.actors.modes().breaker).toBe('closed');
  });

  test('a breaker mode in force takes effect before it commits, and once', async () => {
    const loop = new SmallLoop(createLiveActors);
    const open = loop.breakerChange('failures.high')!;
    loop.actors.breakerChanged(open);
    expect(loop.actors.modes().breaker).toBe('open');
    await loop.clock.advanceAsync(OPEN_MS);
    expect(loop.actors.modes().breaker).toBe('halfOpen');
    loop.commitBreaker(open);
    expect(loop.actors.modes().breaker).toBe('halfOpen');
  });

  test('a tier that the configuration adds begins open, one that it removes waits for nothing', async () => {
    const loop = new SmallLoop(createLiveActors, ['a', 'b']);
    loop.tierTrigger('a', 'drain');
    loop.tierTrigger('b', 'cordon');
    loop.configure(configOf(['b', 'c']));
    expect(loop.actors.modes().tiers).toEqual(
      new Map([
        ['b', tierMode('cordoned', 'normal')],
        ['c', tierMode('open', 'normal')],
      ]),
    );
    expect(loop.clock.pending()).toBe(0);
  });

  test('a new sampling period counts at once', async () => {
    const loop = new SmallLoop(createLiveActors);
    loop.tierTrigger('standard', 'usage.high');
    loop.configure(configOf(['standard'], 100));
    await loop.clock.advanceAsync(450);
    expect(loop.looks).toHaveLength(4);
  });

  test('an event that the machine has no edge for is a bug, said by name', () => {
    const loop = new SmallLoop(createLiveActors);
    const change = { ...loop.breakerChange('failures.high')!, trigger: 'openElapsed' as const };
    expect(() => loop.actors.breakerChanged(change)).toThrow('the actor of breaker is closed, the fold is open');
  });

  test('modes cannot be asked for before the start, nor the start repeated', () => {
    const loop = new SmallLoop(createLiveActors);
    const { clock, committed } = loop;
    const fresh = createLiveActors({
      clock,
      writerId: 'w',
      committed$: committed.committed$,
      dispatch: () => undefined,
    });
    expect(() => fresh.modes()).toThrow('not started');
    expect(() => loop.actors.start(loop.fold())).toThrow('run already');
  });
});
