import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const LINE = 'listening on ';

/** A server in a process of its own, and the time from its start to the line that says where it listens. */
export interface ServerProcess {
  readonly url: string;
  readonly readyMs: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Runs `node ...args`. Rejects if it ends before it says where it listens. */
export async function startProcess(args: readonly string[]): Promise<ServerProcess> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = await firstLine(child);
  const readyMs = performance.now() - startedMs;
  const stop = (): Promise<void> => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url, readyMs, pid: child.pid!, stop };
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface(child.stdout!)) if (line.startsWith(LINE)) return line.slice(LINE.length);
  throw new Error(`${child.spawnargs.join(' ')} ended before it listened`);
}
