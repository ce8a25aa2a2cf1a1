import type { Member } from './member.ts';
import type { World } from './world.ts';

/** What befalls clocks, processes and connections. */
export const CHAOS = [
  'wallJumps',
  'wallFrozen',
  'processStalls',
  'connectionStalls',
  'healed',
  'crashed',
  'stopped',
  'restarted',
  'capacityChanges',
  'healthChanges',
] as const;
export type Chaos = (typeof CHAOS)[number];

const HOUR_MS = 3_600_000;

type Act = (world: World, member: Member, slot: number) => boolean;

/** Each does one thing to one member; false = it does not apply to it. */
const ACTS: Readonly<Record<Chaos, Act>> = {
  wallJumps: ({ random }, member) => {
    member.clock.jumpWall(random.chance(0.5) ? HOUR_MS : -HOUR_MS);
    return true;
  },
  wallFrozen: (_, member) => {
    member.clock.freezeWall();
    return true;
  },
  processStalls: (_, member) => {
    if (member.state !== 'serving' || member.frozen) return false;
    member.freeze();
    return true;
  },
  connectionStalls: (_, member) => {
    if (member.ended || member.cutOff) return false;
    member.cutOffStore();
    return true;
  },
  healed: (_, member) => {
    if (!member.frozen && !member.cutOff) return false;
    member.heal();
    return true;
  },
  crashed: (world, member) => {
    if (member.ended) return false;
    if (world.members.some((other) => other !== member && other.reachable)) world.takeovers += 1;
    member.crash();
    return true;
  },
  stopped: (_, member) => {
    if (member.state !== 'serving' || member.frozen) return false;
    member.stop();
    return true;
  },
  restarted: (world, member, slot) => {
    if (!member.ended) return false;
    world.restart(slot);
    return true;
  },
  capacityChanges: (world) => {
    world.cpu = 1_000 * world.random.between(4, 12);
    return true;
  },
  healthChanges: (world) => {
    world.ill = !world.ill;
    return true;
  },
};

const WEIGHTS: readonly (readonly [number, Chaos])[] = [
  [10, 'wallJumps'],
  [4, 'wallFrozen'],
  [6, 'processStalls'],
  [8, 'connectionStalls'],
  [25, 'healed'],
  [8, 'crashed'],
  [6, 'stopped'],
  [25, 'restarted'],
  [4, 'capacityChanges'],
  [3, 'healthChanges'],
];

export function disturb(world: World): void {
  const { random, members, chaos } = world;
  const kind = random.weighted(WEIGHTS);
  const slot = random.below(members.length);
  if (ACTS[kind](world, members[slot]!, slot)) chaos[kind] += 1;
}
