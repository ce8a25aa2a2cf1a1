import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addUp, type Counts } from './share.ts';

export interface LaunchOptions {
  readonly count: number;
  readonly seed: number;
  /** Processes side by side. */
  readonly jobs: number;
}

const pathOf = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));
const MAIN = pathOf('./main.ts');

/** Programs that runs start hundreds of times. From their sources a start costs several times as much. */
const PROGRAMS = {
  'kill-worker': pathOf('./kill/worker.ts'),
  'io-sweep': pathOf('./io/sweep.ts'),
  'power-worker': pathOf('./power/worker.ts'),
  'power-killed-worker': pathOf('./power/killed-worker.ts'),
  'power-stale-worker': pathOf('./power/stale-worker.ts'),
  poolctl: pathOf('../../src/cli/main.ts'),
};
/** Where a run's processes find the folder with the bundled programs. */
const PROGRAMS_VARIABLE = 'FAULT_PROGRAMS';

/** The path of a program that the run has bundled. Throws outside of a run. */
export function programPath(name: keyof typeof PROGRAMS): string {
  const folder = process.env[PROGRAMS_VARIABLE];
  if (folder === undefined) throw new Error(`${name} is there only in a run: use launch()`);
  return join(folder, `${name}.js`);
}

/** Bundles the programs into a folder. What is not bundled is found in this project's packages. */
async function bundlePrograms(folder: string): Promise<void> {
  const { build } = await import('rolldown');
  symlinkSync(pathOf('../../node_modules'), join(folder, 'node_modules'));
  await build({
    input: PROGRAMS,
    platform: 'node',
    external: [/^@eventstore\/db-client/, 'systeminformation'],
    output: { dir: folder, format: 'esm', sourcemap: true },
    logLevel: 'warn',
  });
}

/** Runs a fault run in processes of its own and adds up what they counted. Rejects with what they said if one found a violation. */
export async function launch(run: string, { count, seed, jobs }: LaunchOptions): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), 'rpm-fault-programs-'));
  try {
    await bundlePrograms(folder);
    const parts = Array.from({ length: jobs }, (_, part) =>
      runPart([run, '--count', `${count}`, '--seed', `${seed}`, '--part', `${part}/${jobs}`], folder),
    );
    return addUp(await Promise.all(parts));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Compiled code is kept over the processes of a run: what is tried is the store, not the compiler. */
async function runPart(args: string[], folder: string): Promise<Counts> {
  const env = { ...process.env, [PROGRAMS_VARIABLE]: folder, NODE_COMPILE_CACHE: join(folder, 'compiled') };
  const child = fork(MAIN, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env });
  let counts: Counts = {};
  let said = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (said += chunk));
  child.on('message', (message: Counts) => {
    counts = message;
  });
  const code = await new Promise<number | string>((resolve) =>
    child.once('close', (status, signal) => resolve(status ?? signal ?? 'nothing')),
  );
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${whatWasSaid(said)}`);
  return counts;
}

/** The line that names the violation first: what prints it may cut the rest. */
function whatWasSaid(said: string): string {
  const violation = said.split('\n').find((line) => /^\w*Error: /.test(line)) ?? '';
  return `${violation}\n${said.slice(-4_000)}`;
}

/** A seed that is printed by whoever uses it; FAULT_SEED repeats a run. */
export const newSeed = (): number => Number(process.env['FAULT_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

export const showCounts = (counts: Counts): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
