/** A long run: `npm run simulate -- --seed 1 --commands 10000000`. The result goes to bench/results/simulation-<seed>.json. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';
import { summary } from './summary.ts';

const RESULTS = join(import.meta.dirname, '../../bench/results');
const TOLD_EVERY_MS = 10_000;

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, commands: { type: 'string', default: '1000000' } },
});
const seed = wholeNumber('seed', values.seed);
const commands = wholeNumber('commands', values.commands);

function wholeNumber(flag: string, value: string): number {
  if (/^\d{1,15}$/.test(value)) return Number(value);
  console.error(`--${flag}: ${value} is not allowed; allowed: a whole number, 0 or more`);
  process.exit(2);
}

const began = performance.now();
let toldMs = began;
const result = await simulate({
  seed,
  commands,
  progress: ({ decided, worlds }) => {
    const nowMs = performance.now();
    if (nowMs - toldMs < TOLD_EVERY_MS) return;
    toldMs = nowMs;
    const leftMs = ((commands - decided) / decided) * (nowMs - began);
    console.error(`${decided} of ${commands} commands, ${worlds} worlds, ${Math.ceil(leftMs / 1_000)} s left`);
  },
});
const tookMs = Math.round(performance.now() - began);
console.log(summary(result, tookMs));
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const machine = { cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
mkdirSync(RESULTS, { recursive: true });
const file = join(RESULTS, `simulation-${seed}.json`);
writeFileSync(file, `${JSON.stringify({ commit, machine, tookMs, ...result }, null, 2)}\n`);
console.log(`written: ${file}`);
