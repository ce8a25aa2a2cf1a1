import { expect } from 'vitest';
import { type Ran, runRandom } from './simulate.ts';

/** Every kind of event that the commands can cause must have come about, or the run has shown little. */
const MUST_HAPPEN = [
  'LeaseGranted',
  'LeasesRenewed',
  'LeaseReleased',
  'LeaseReclaimed',
  'RevocationNoticed',
  'QuarantineStarted',
  'QuarantineEnded',
  'RequestQueued',
  'RequestCancelled',
  'RequestExpired',
  'TierModeChanged',
  'BreakerModeChanged',
  'ClockGapObserved',
  'TokenFloorRaised',
  'PoolDrainEnded',
  'ConfigChanged',
  'CapacityObserved',
];

/** Runs that many commands (RPM_COMMANDS overrides it) from RPM_SEED or a new seed, prints both, and asks that all kinds happened. */
export function checkRandom(commands: number, env: NodeJS.ProcessEnv): Ran {
  const wanted = Number(env['RPM_COMMANDS'] ?? commands);
  const ran = runRandom(wanted, Number(env['RPM_SEED'] ?? Math.floor(Math.random() * 2 ** 32)));
  const show = (counts: ReadonlyMap<string, number>) => [...counts].map(([name, n]) => `${name} ${n}`).join(', ');
  console.log(`executed ${ran.executed} commands, ${ran.events} events, seed ${ran.seed}`);
  console.log(`events: ${show(ran.types)}\nanswers: ${show(ran.answers)}`);
  expect(ran.executed).toBe(wanted);
  expect([...ran.types.keys()]).toEqual(expect.arrayContaining(MUST_HAPPEN));
  return ran;
}
