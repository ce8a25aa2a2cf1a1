import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

/** What one process has stripped of types and compiled, the next one need not: a third of its time. */
const CHILD_ENV = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'rpm-compile-cache') };

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(
  args: readonly string[],
  under: readonly string[] = [],
): ChildProcess & { out: () => string; err: () => string } {
  const [command, ...rest] = [...under, process.execPath, MAIN, ...args] as [string, ...string[]];
  const child = spawn(command, rest, { env: CHILD_ENV, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    text.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    text.err += chunk;
  });
  return Object.assign(child, { out: () => text.out, err: () => text.err });
}

/** Runs poolctl to its end. */
export function poolctl(...args: string[]): Promise<Finished> {
  const child = start(args);
  return new Promise((resolve) =>
    child.on('close', (code) => resolve({ code, stdout: child.out(), stderr: child.err() })),
  );
}

export interface Running {
  readonly out: () => string;
  readonly err: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Finished>;
}

/** Starts poolctl, to be looked at while it runs. */
export function running(...args: string[]): Running {
  const child = start(args);
  const ended = new Promise<Finished>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout: child.out(), stderr: child.err() })),
  );
  return { out: child.out, err: child.err, kill: (signal) => child.kill(signal), ended };
}

export interface Serving {
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Finished>;
}

/** A server of its own, as a process, with a declared capacity so that every machine tells the same. */
export const serve = (dataDir: string, ...flags: string[]): Promise<Serving> => serveUnder([], dataDir, ...flags);

/** The same, started by another command, such as a tracer. */
export async function serveUnder(under: readonly string[], dataDir: string, ...flags: string[]): Promise<Serving> {
  const capacity = 'detection.capacity={"memory":"8Gi","cpu":400}';
  const calm = 'overload.pressureRatio=1'; // this machine's own load decides nothing here
  const child = start(['serve', '--port', '0', '--data', dataDir, '--set', capacity, '--set', calm, ...flags], under);
  const ended = new Promise<Finished>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout: child.out(), stderr: child.err() })),
  );
  const url = await new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', () => {
      const match = /listening on (http:\S+)/.exec(child.out());
      if (match !== null) resolve(match[1]!);
    });
    void ended.then(({ stderr }) => reject(new Error(`serve ended: ${stderr}`)));
  });
  const pid = under.length === 0 ? child.pid! : startedBy(child.pid!);
  return {
    url,
    dataDir,
    pid,
    stop(signal = 'SIGTERM') {
      process.kill(pid, signal);
      return ended;
    },
  };
}

const startedBy = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);

export function scratch(): { dir: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'rpm-cli-'));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}
