import type { ReadAnswer, ReadCall } from './messages.ts';
import { afterSilence } from './silence.ts';

/** A reader that is slower than the server holds at most so much; then the server is told to wait. */
const MAX_ITEMS = 1_024;
const MAX_BYTES = 1 << 20;

export interface Item<T> {
  readonly value: T;
  readonly bytes: number;
}

/**
 * What a call brings, in order, taken in pages of all that has come by the end of a turn of the event loop: the events of one append come in
 * one page, as a rule. An error of the call, or of decoding, follows what came before it.
 */
export class Incoming<T> {
  readonly #decode: (answer: ReadAnswer) => Item<T> | undefined;
  readonly #answered: () => void;
  #call: ReadCall | undefined;
  #items: T[] = [];
  #bytes = 0;
  #state: 'open' | 'ended' | { readonly error: unknown } = 'open';
  #wake: () => void = () => {};
  #gathering = false;
  /** The server has been told to wait, since the last time this was set back. */
  overflowed = false;

  /** `firstWithinMs`: a server that has said nothing by then is not waited for. */
  constructor(open: Promise<ReadCall>, decode: (answer: ReadAnswer) => Item<T> | undefined, firstWithinMs: number) {
    this.#decode = decode;
    this.#answered = afterSilence(firstWithinMs, () => this.fail(new Error(`no answer within ${firstWithinMs} ms`)));
    open.then(
      (call) => this.#attach(call),
      (error: unknown) => this.fail(error),
    );
  }

  /** All that has come; empty after `wake`; undefined at the end. */
  async take(): Promise<readonly T[] | undefined> {
    if (this.#items.length === 0 && this.#state === 'open')
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#items.length > 0) return this.#takeAll();
    if (typeof this.#state === 'object') throw this.#state.error;
    return this.#state === 'ended' ? undefined : [];
  }

  /** Ends a `take` that waits. */
  wake(): void {
    this.#wake();
  }

  /** Ends the call, here and at the server. Nothing more comes. */
  cancel(): void {
    this.#end('ended');
    this.#items = [];
    this.#leave();
  }

  #attach(call: ReadCall): void {
    this.#call = call;
    call.on('data', (answer: ReadAnswer) => this.#arrived(answer));
    call.on('error', (error: Error) => this.#end({ error }));
    call.on('end', () => this.#end('ended'));
    if (this.#state !== 'open') this.#leave();
  }

  #arrived(answer: ReadAnswer): void {
    if (this.#state !== 'open') return;
    this.#answered();
    try {
      const item = this.#decode(answer);
      if (item !== undefined) this.#push(item);
    } catch (error) {
      this.fail(error);
    }
  }

  #push({ value, bytes }: Item<T>): void {
    this.#items.push(value);
    this.#bytes += bytes;
    if (this.#items.length >= MAX_ITEMS || this.#bytes >= MAX_BYTES) {
      this.overflowed = true;
      this.#call?.pause();
    }
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.#wake();
    });
  }

  #takeAll(): readonly T[] {
    const items = this.#items;
    this.#items = [];
    this.#bytes = 0;
    if (this.#call?.isPaused() === true) this.#call.resume();
    return items;
  }

  fail(error: unknown): void {
    this.#end({ error });
    this.#leave();
  }

  /** Resumed as well, because a call that is told to wait does not come to its end. */
  #leave(): void {
    this.#call?.cancel();
    this.#call?.resume();
  }

  #end(state: 'ended' | { readonly error: unknown }): void {
    this.#answered();
    if (this.#state === 'open') this.#state = state;
    this.#wake();
  }
}
