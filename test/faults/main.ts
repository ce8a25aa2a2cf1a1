/**
 * Fault runs as long as one likes: `npm run faults -- RUN --count N --seed S --jobs J`. Prints what it counted and ends with 1 at
 * the first violation; `--write` also writes it to bench/results. `--part I/N` runs one share and sends its counts to its parent.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machineLine } from '../../bench/page.ts';
import { launch, newSeed, showCounts } from './launch.ts';
import type { Counts, FaultRun } from './share.ts';

const RUNS: Readonly<Record<string, () => Promise<FaultRun>>> = {
  damage: async () => (await import('./damage/run.ts')).damageRun,
  'damage-rows': async () => (await import('./damage/run.ts')).damageRowsRun,
  kill: async () => (await import('./kill/cycles.ts')).killRun,
  'kill-serve': async () => (await import('./kill/serve-run.ts')).killServeRun,
  io: async () => (await import('./io/run.ts')).ioRun,
  'fail-over': async () => (await import('./fail-over/run.ts')).failOverRun,
  'disk-full': async () => (await import('./disk-full/run.ts')).diskFullRun,
  takeover: async () => (await import('./kill/takeover-run.ts')).takeoverRun,
  power: async () => (await import('./power/run.ts')).powerRun,
  'failed-sync': async () => (await import('./power/run.ts')).failedSyncRun,
  'stale-frames': async () => (await import('./power/run.ts')).staleFramesRun,
  soak: async () => (await import('./soak/soak-run.ts')).soakRun,
  overload: async () => (await import('./soak/overload-run.ts')).overloadRun,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(newSeed()) },
    jobs: { type: 'string', default: '2' },
    part: { type: 'string' },
    write: { type: 'boolean', default: false },
  },
});
const name = positionals[0] ?? '';
const load = RUNS[name];
const [count, seed, jobs] = [Number(values.count), Number(values.seed), Number(values.jobs)];
if (load === undefined || ![count, seed, jobs].every(Number.isSafeInteger)) {
  console.error(
    `usage: faults RUN [--count N] [--seed S] [--jobs J] [--write]; RUN is one of ${Object.keys(RUNS).join(', ')}`,
  );
  process.exit(2);
}

if (values.part === undefined) await whole();
else await share(values.part, load);

async function share(text: string, load: () => Promise<FaultRun>): Promise<void> {
  const [part = 0, parts = 1] = text.split('/').map(Number);
  const counts = await (await load())({ count, seed, part, parts });
  process.send?.(counts);
  process.disconnect?.();
}

async function whole(): Promise<void> {
  const began = performance.now();
  console.log(`${name}: seed ${seed}, ${count === 0 ? 'all cases' : `${count} cases`}`);
  const counts = await launch(name, { count, seed, jobs });
  const seconds = Math.round((performance.now() - began) / 1000);
  console.log(`${name}: ${showCounts(counts)}, 0 violations, ${seconds} s`);
  if (values.write) writeFileSync(resultFile(), page(counts, seconds));
}

function resultFile(): URL {
  return new URL(`../../bench/results/faults-${name}.md`, import.meta.url);
}

function page(counts: Counts, seconds: number): string {
  const commit = execFileSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' }).trim();
  const lines = [
    `# Fault run: ${name}`,
    '',
    `- command: \`npm run faults -- ${name} --count ${count} --seed ${seed} --jobs ${jobs} --write\``,
    `- machine: ${machineLine()}`,
    `- commit: ${commit}, date: ${new Date().toISOString().slice(0, 10)}, took ${seconds} s`,
    '- violations: 0 (the run ends at the first)',
    '',
    '| counted | |',
    '|---|--:|',
    ...Object.entries(counts).map(([what, number]) => `| ${what} | ${number} |`),
  ];
  return `${lines.join('\n')}\n`;
}
