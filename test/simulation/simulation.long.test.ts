import { expect, test } from 'vitest';
import { simulate } from './simulate.ts';
import { summary } from './summary.ts';

const SEED = Number(process.env['RPM_SEED'] ?? 1);
const COMMANDS = Number(process.env['RPM_COMMANDS'] ?? 1_000_000);
const EACH = 1_000;

test('no invariant breaks and no caller is lied to, though each kind of fault happens a thousand times', async () => {
  const began = performance.now();
  const result = await simulate({ seed: SEED, commands: COMMANDS, faultsEach: EACH });
  console.log(summary(result, performance.now() - began));
  expect(result.takeovers).toBeGreaterThanOrEqual(EACH);
  for (const [fault, count] of Object.entries(result.faults)) expect(count, fault).toBeGreaterThanOrEqual(EACH);
}, 1_800_000);
