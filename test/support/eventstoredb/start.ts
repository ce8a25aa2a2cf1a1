import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const START_TIMEOUT_MS = 20_000;

export interface StartOptions {
  /** 0, the default, takes any free port; a restart keeps the one taken. */
  readonly port?: number;
  /** The folder of the log; by default a new one under the system's temporary folder, removed by stop(). */
  readonly dataDir?: string;
  /** Default true. Without it an answered append survives kill -9, but not a loss of power. */
  readonly fsync?: boolean;
  /** HOST:PORT that gossip tells, as when clients are to come through a proxy. */
  readonly advertise?: string;
  /** How long each start answers "Server Is Not Ready", in ms; default 0. */
  readonly notReadyMs?: number;
}

/** A running server process. */
export interface EventStoreDbProcess {
  readonly url: string;
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly dataDir: string;
  /** Of the process that runs now; another one after restart(). */
  readonly pid: number;
  /** Sends the signal (default SIGKILL). Resolves at once for SIGSTOP and SIGCONT, else when the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts a new process on the same port and log, killing the old one if it still runs. */
  restart(): Promise<void>;
  /** Ends the process, and removes the folder if it was made here. */
  stop(): Promise<void>;
}

/** Starts the EventStoreDB-speaking server in its own process. Rejects with what it printed if it does not listen. */
export async function startEventStoreDb(options: StartOptions = {}): Promise<EventStoreDbProcess> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'eventstoredb-')));
  let { child, port } = await launch(argumentsFor(options, dataDir, options.port ?? 0));
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await exited;
  };
  return {
    url: `esdb://127.0.0.1:${port}?tls=false`,
    host: '127.0.0.1',
    port,
    dataDir,
    get pid() {
      return child.pid!;
    },
    kill,
    restart: async () => {
      await kill();
      ({ child, port } = await launch(argumentsFor(options, dataDir, port)));
    },
    stop: async () => {
      await kill();
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function argumentsFor(options: StartOptions, dataDir: string, port: number): string[] {
  return [
    '--data',
    dataDir,
    '--port',
    String(port),
    ...(options.fsync === false ? ['--no-fsync'] : []),
    ...(options.advertise === undefined ? [] : ['--advertise', options.advertise]),
    ...(options.notReadyMs === undefined ? [] : ['--not-ready-ms', String(options.notReadyMs)]),
  ];
}

async function launch(args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const printed: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => printed.push(text));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  createInterface(child.stdout).on('line', (line) => {
    const port = /^listening on 127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) resolve(Number(port));
  });
  const fail = () => reject(new Error(`The EventStoreDB test server did not start: ${printed.join('')}`));
  const timer = setTimeout(fail, START_TIMEOUT_MS);
  child.once('exit', fail).once('error', fail);
  try {
    return { child, port: await promise };
  } finally {
    clearTimeout(timer);
  }
}
