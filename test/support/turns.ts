/** Counts the turns of the event loop, in which timers, sockets and commands would have had theirs. */
export class Turns {
  count = 0;
  #next: NodeJS.Immediate;

  constructor() {
    const count = (): void => {
      this.count += 1;
      this.#next = setImmediate(count);
    };
    this.#next = setImmediate(count);
  }

  stop(): void {
    clearImmediate(this.#next);
  }
}
