import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface ServerSettings {
  readonly store: string;
  /** MiB to be leased. */
  readonly memory: number;
  readonly mailboxLimit: number;
  readonly queueLength: number;
}

/** What a server holds, after its garbage has been collected. */
export interface Health {
  readonly heapUsedBytes: number;
  /** What keeps its event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  readonly listeners: number;
  /** Of its event loop, since it was last asked. */
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

/** A server in a process of its own. */
export class Served {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
  }

  static async start(settings: ServerSettings): Promise<Served> {
    const script = new URL('./server.ts', import.meta.url);
    const child = fork(script, [JSON.stringify(settings)], { execArgv: ['--expose-gc'] });
    process.once('exit', () => child.kill('SIGKILL'));
    const [{ url }] = (await once(child, 'message')) as [{ url: string }];
    return new Served(child, url);
  }

  async health(): Promise<Health> {
    const answer = once(this.#child, 'message');
    this.#child.send('health');
    return (await answer)[0] as Health;
  }

  /** Throws unless it ends cleanly. */
  async stop(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.send('stop');
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`the server ended with ${code}`);
  }
}
