/**
 * When what waits is drained. `microtask`: after the code that runs now, for stores that answer at once. `immediate`:
 * after the event loop has read what is ready on its sockets, so that one durable commit carries more.
 */
export type Wake = 'microtask' | 'immediate';

export interface MailboxOptions {
  /** What may wait at most; read at each push, so that a changed configuration counts at once. */
  readonly limit: () => number;
  readonly wake: Wake;
  /** Called once for all that came since: `take` what is wanted. Called again for what is left, unless held. */
  readonly drain: () => void;
}

/**
 * A bounded queue of commands in arrival order. It batches by itself: one drain is scheduled for everything that comes
 * before it runs, and while it is held (a commit is in flight) what comes waits for the release.
 */
export class Mailbox<T> {
  readonly #options: MailboxOptions;
  #items: T[] = [];
  /** So many of the items are taken already. */
  #taken = 0;
  #scheduled = false;
  #held = false;
  #closed = false;
  #emptied: (() => void)[] = [];

  constructor(options: MailboxOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#items.length - this.#taken;
  }

  /** False when the limit is reached or the mailbox is closed: the item was not taken in. */
  push(item: T): boolean {
    return this.size < this.#options.limit() && this.pass(item);
  }

  /** Past the limit, for what must always get through (release, renew, cancel, deadlines). False only when closed. */
  pass(item: T): boolean {
    if (this.#closed) return false;
    if (this.size === 0) this.#items = [item];
    else this.#items.push(item);
    this.#schedule();
    return true;
  }

  /** What waits, in arrival order, at most `max` of it. */
  take(max: number = Number.POSITIVE_INFINITY): T[] {
    const items =
      this.#taken === 0 && this.size <= max ? this.#items : this.#items.slice(this.#taken, this.#taken + max);
    if (items.length < this.size) this.#take(items.length);
    else {
      this.#items = [];
      this.#taken = 0;
      this.#tellEmptied();
    }
    return items;
  }

  /** What is left moves up once as much is taken as is left: however much waits, a command is moved once. */
  #take(count: number): void {
    this.#taken += count;
    if (this.#taken < this.size) return;
    this.#items = this.#items.slice(this.#taken);
    this.#taken = 0;
  }

  /** No drain is called until `release`. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#schedule();
  }

  /** Nothing more is taken in; what waits is still drained. Resolves once all of it is taken. */
  close(): Promise<void> {
    this.#closed = true;
    if (this.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#emptied.push(resolve);
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#held || this.size === 0) return;
    this.#scheduled = true;
    if (this.#options.wake === 'microtask') queueMicrotask(this.#drain);
    else setImmediate(this.#drain);
  }

  readonly #drain = (): void => {
    this.#scheduled = false;
    if (this.#held || this.size === 0) return;
    const before = this.size;
    this.#options.drain();
    if (this.size < before) this.#schedule();
  };

  #tellEmptied(): void {
    if (this.#emptied.length === 0) return;
    const waiting = this.#emptied;
    this.#emptied = [];
    for (const resolve of waiting) resolve();
  }
}
