import { expect, test } from 'vitest';
import { simulate } from './simulate.ts';
import { World } from './world.ts';

/** Another seed each day: what is found is repeated by the seed that the failure names. */
const SEED = Number(process.env['RPM_SEED'] ?? 1_000 * Math.floor(Date.now() / 86_400_000));

test('no invariant breaks and no caller is lied to, whatever befalls store, clocks and processes', async () => {
  const { worlds, decided, calls } = await simulate({ seed: SEED, commands: 5_000 });
  console.log(`simulation: seed ${SEED}, ${worlds} worlds, ${calls} calls, ${decided} commands decided`);
  expect(decided).toBeGreaterThanOrEqual(5_000);
}, 120_000);

test('one seed repeats the whole world: ids, times, faults and answers', async () => {
  const run = async () => {
    const world = new World(SEED + 500);
    await world.run(1_500);
    const { log, callers, chaos } = world;
    return { ids: log.ids, at: log.checker.state.at, endings: callers.endings, faults: world.faults(), chaos };
  };
  expect(await run()).toEqual(await run());
}, 120_000);
