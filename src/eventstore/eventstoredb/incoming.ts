import { afterSilence } from './connection/silence.ts';
import type { ReadAnswer, ReadCall } from './messages.ts';

/** A reader that is slower than the server holds at most so much; then the server is told to wait. */
const MAX_ITEMS = 1_024;
const MAX_BYTES = 1 << 20;

export interface Patience {
  /** How long a server that has said nothing yet is waited for, ms. */
  readonly firstMs: number;
  /** A call that has been silent for so long, ms, leads to the question whether its node is alive. */
  readonly silentMs: number;
  /** Once something has come, silence is its nature. */
  readonly isLive: boolean;
}

/** What there is to be done about silence. */
export interface Listened {
  /** Its node does not answer anything. */
  readonly silent: (call: ReadCall) => void;
  /** Its node is alive, but has not answered this call. */
  readonly undecided: (call: ReadCall) => void;
  readonly isAlive: (call: ReadCall) => Promise<boolean>;
}

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
  readonly #listened: Listened;
  readonly #patience: Patience;
  /** Ends the waiting for what is to come next. */
  readonly #answered: () => void;
  #watched: () => void = () => {};
  #hasArrived = false;
  /** Something has come since the silence was last looked at. */
  #heard = false;
  #call: ReadCall | undefined;
  #items: T[] = [];
  #bytes = 0;
  #state: 'open' | 'ended' | { readonly error: unknown } = 'open';
  #wake: () => void = () => {};
  #gathering = false;
  /** The server has been told to wait, since the last time this was set back. */
  overflowed = false;

  constructor(
    open: Promise<ReadCall>,
    decode: (answer: ReadAnswer) => Item<T> | undefined,
    patience: Patience,
    listened: Listened,
  ) {
    this.#decode = decode;
    this.#listened = listened;
    this.#patience = patience;
    const { firstMs } = patience;
    this.#answered = afterSilence(firstMs, () => this.#giveUp(`no answer within ${firstMs} ms`, listened.undecided));
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
    else this.#watch();
  }

  /**
   * A read of much that matches little may be silent for long, and so may a node that is frozen: what tells them apart is whether the
   * node answers anything else. A call that was told to wait is silent by right.
   */
  #watch(): void {
    const { silentMs: ms, isLive } = this.#patience;
    if (isLive && this.#hasArrived) return;
    this.#heard = false;
    this.#watched = afterSilence(ms, () => {
      if (this.#heard || this.#call?.isPaused() === true) return this.#watch();
      void this.#listened.isAlive(this.#call!).then((alive) => {
        if (this.#state !== 'open') return;
        if (alive || this.#heard) this.#watch();
        else this.#giveUp(`nothing for ${ms} ms, and the node does not answer`, this.#listened.silent);
      });
    });
  }

  #giveUp(why: string, tell: (call: ReadCall) => void): void {
    const call = this.#call;
    this.fail(new Error(why));
    if (call !== undefined) tell(call);
  }

  #arrived(answer: ReadAnswer): void {
    if (this.#state !== 'open') return;
    if (!this.#hasArrived) {
      this.#hasArrived = true;
      this.#answered();
    }
    this.#heard = true;
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
    this.#watched();
    if (this.#state === 'open') this.#state = state;
    this.#wake();
  }
}
