import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A process that is there to be killed; how it ends by itself is an error. */
export class Killed {
  readonly child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #out = '';
  #err = '';

  constructor(script: string, args: readonly string[]) {
    this.child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#ended = once(this.child, 'close');
    const orphaned = () => this.child.kill('SIGKILL');
    process.once('exit', orphaned);
    this.child.once('close', () => process.off('exit', orphaned));
    this.child.stdout!.on('data', (chunk: Buffer) => (this.#out += chunk));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.#err += chunk));
  }

  /** Settles when stdout says `text`; what followed it on the line. Rejects if the process ends before, or after a minute. */
  said(text: string): Promise<string> {
    const find = () => {
      const at = this.#out.indexOf(text);
      return at < 0 ? undefined : this.#out.slice(at + text.length).split('\n', 1)[0]!;
    };
    return new Promise((resolve, reject) => {
      const tooLate = setTimeout(() => {
        reject(new Error(`has not said ${text} within a minute: ${this.#out}${this.#err.slice(-3_000)}`));
        this.child.kill('SIGKILL');
      }, 60_000);
      const look = () => {
        const rest = find();
        if (rest === undefined) return;
        clearTimeout(tooLate);
        resolve(rest);
      };
      this.child.stdout!.on('data', look);
      this.child.once('close', () => reject(new Error(`ended before it said ${text}: ${this.#err.slice(-3_000)}`)));
      look();
    });
  }

  /** Ends it with SIGKILL. Throws if it had ended by itself. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null) throw new Error(`ended with ${this.child.exitCode}: ${this.#err.slice(-3_000)}`);
    this.child.kill('SIGKILL');
    await this.#ended;
    if (this.child.signalCode !== 'SIGKILL') throw new Error(`ended by itself: ${this.#err.slice(-3_000)}`);
  }
}
