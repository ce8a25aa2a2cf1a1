import { fork } from 'node:child_process';
import { addUp, type Counts } from './share.ts';

export interface LaunchOptions {
  readonly count: number;
  readonly seed: number;
  /** Processes side by side. */
  readonly jobs: number;
}

const MAIN = new URL('./main.ts', import.meta.url);

/** Runs a fault run in processes of its own and adds up what they counted. Rejects with what they said if one found a violation. */
export async function launch(run: string, { count, seed, jobs }: LaunchOptions): Promise<Counts> {
  const parts = Array.from({ length: jobs }, (_, part) =>
    runPart([run, '--count', `${count}`, '--seed', `${seed}`, '--part', `${part}/${jobs}`]),
  );
  return addUp(await Promise.all(parts));
}

async function runPart(args: string[]): Promise<Counts> {
  const child = fork(MAIN, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
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
