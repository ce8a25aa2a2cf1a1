import type { Fault } from '../../src/testing/index.ts';
import type { Chaos } from './chaos.ts';
import { World } from './world.ts';

/** Commands that one world decides before it is judged and the next begins. */
const WORLD_COMMANDS = 5_000;

export interface Simulated {
  readonly seed: number;
  readonly worlds: number;
  /** Commands decided by the managers, their own included. */
  readonly decided: number;
  /** Calls made by callers. */
  readonly calls: number;
  readonly events: number;
  /** Members that died while another served. */
  readonly takeovers: number;
  /** Appends that came too late; none was taken. */
  readonly staleRefused: number;
  readonly virtualMs: number;
  readonly faults: Readonly<Record<Fault | Chaos, number>>;
  readonly endings: Readonly<Record<string, number>>;
  readonly types: Readonly<Record<string, number>>;
}

export interface SimulateOptions {
  readonly seed: number;
  readonly commands: number;
  /** Further worlds, until each kind of fault, and a takeover, has happened so often. */
  readonly faultsEach?: number;
  /** Told after each world. */
  readonly progress?: (done: Simulated) => void;
}

const add = (counts: Record<string, number>, more: Iterable<readonly [string, number]>) => {
  for (const [name, n] of more) counts[name] = (counts[name] ?? 0) + n;
};

/** Worlds from seed, seed + 1, ... until that many commands were decided. Throws naming the world's seed at what is wrong. */
export async function simulate({ seed, commands, faultsEach = 0, progress }: SimulateOptions): Promise<Simulated> {
  const total = { seed, worlds: 0, decided: 0, calls: 0, events: 0, takeovers: 0, staleRefused: 0, virtualMs: 0 };
  const [faults, endings, types] = [{}, {}, {}] as Record<string, number>[] as [never, never, never];
  const few = () => [total.takeovers, ...Object.values<number>(faults)].some((count) => count < faultsEach);
  while (total.decided < commands || few()) {
    const world = new World(seed + total.worlds);
    try {
      await world.run(WORLD_COMMANDS);
    } catch (error) {
      throw new Error(`world ${world.seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    total.worlds += 1;
    total.decided += world.decided;
    total.calls += world.callers.made;
    total.events += world.log.head + 1;
    total.takeovers += world.takeovers;
    total.staleRefused += world.log.staleRefused;
    total.virtualMs += world.clock.monotonic();
    for (const counts of world.faults()) add(faults, Object.entries(counts));
    add(faults, Object.entries(world.chaos));
    add(endings, world.callers.endings);
    add(types, world.log.types);
    progress?.({ ...total, faults, endings, types });
  }
  return { ...total, faults, endings, types };
}
