import { Mailbox, type Wake } from '../time/mailbox.ts';
import { SLICE_MS } from '../time/turn.ts';
import type { Call } from './call.ts';

export interface CommandQueueOptions {
  readonly limit: () => number;
  readonly wake: Wake;
  /** Called when something waits and nothing is in flight. */
  readonly drain: () => void;
}

const MAX_CALLS = 256;
/** After so many commands and events, or a slice of time with fewer, the event loop goes round once: sockets are read, timers run, and what has come meanwhile gets its turn. */
const WORK_AT_ONCE = 256;

/**
 * What waits to be decided: first what is carried (what a batch had no room for, what is to be decided again, and a breaker's
 * changes, which are in force already), then the mailbox. While it is held nothing is drained.
 */
export class CommandQueue {
  readonly #mailbox: Mailbox<Call>;
  readonly #options: CommandQueueOptions;
  #carry: Call[] = [];
  #held = false;
  #woken = false;
  #work = 0;
  #workMs = 0;
  #betweenTurns = false;

  constructor(options: CommandQueueOptions) {
    this.#options = options;
    this.#mailbox = new Mailbox<Call>(options);
  }

  get size(): number {
    return this.#carry.length + this.#mailbox.size;
  }

  get held(): boolean {
    return this.#held;
  }

  /** Nothing is drained before the event loop has gone round. */
  get betweenTurns(): boolean {
    return this.#betweenTurns;
  }

  /** So many commands were decided and events caused, in so many ms. */
  worked(count: number, tookMs: number): void {
    this.#work += count;
    this.#workMs += tookMs;
    if ((this.#work < WORK_AT_ONCE && this.#workMs < SLICE_MS) || this.#betweenTurns) return;
    this.#betweenTurns = true;
    setImmediate(() => {
      this.#work = 0;
      this.#workMs = 0;
      this.#betweenTurns = false;
      if (!this.#held) this.#options.drain(); // though nothing waits: others' events, and who waits for that
    });
  }

  /** At the end of the queue; false if too many wait: it was not taken in. */
  offer(call: Call): boolean {
    return this.#mailbox.push(call);
  }

  /** At the end, past the limit. */
  enqueue(call: Call): void {
    this.#mailbox.pass(call);
  }

  /** Behind what is carried, before what waits in the mailbox: a breaker's change. */
  enqueueFront(call: Call): void {
    this.#carry.push(call);
    this.#wake();
  }

  /** Before everything: it has waited the longest. */
  putBack(calls: readonly Call[]): void {
    if (calls.length > 0) this.#carry = calls.concat(this.#carry);
    this.#wake();
  }

  next(): Call[] {
    if (this.#carry.length === 0) return this.#mailbox.take(MAX_CALLS);
    const calls = this.#carry;
    this.#carry = [];
    return calls.concat(this.#mailbox.take(Math.max(0, MAX_CALLS - calls.length)));
  }

  takeAll(): Call[] {
    const calls = this.#carry.concat(this.#mailbox.take());
    this.#carry = [];
    return calls;
  }

  hold(): void {
    this.#held = true;
    this.#mailbox.hold();
  }

  release(): void {
    this.#held = false;
    this.#mailbox.release();
    this.#wake();
  }

  /** For what is carried; the mailbox wakes by itself. */
  #wake(): void {
    if (this.#held || this.#woken || this.#carry.length === 0) return;
    this.#woken = true;
    const run = (): void => {
      this.#woken = false;
      if (!this.#held && this.#carry.length > 0) this.#options.drain();
    };
    if (this.#options.wake === 'microtask') queueMicrotask(run);
    else setImmediate(run);
  }
}
