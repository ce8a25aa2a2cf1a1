/** How long a part takes, s, where it has not been run yet; only the estimate of the time left depends on it. */
const GUESS_SECONDS = 30;

/** Says on stderr which part runs, how far it has come, and how long all of it will still take. */
export class Progress {
  readonly #names: readonly string[];
  readonly #startedMs = performance.now();
  #begun = 0;
  #beganMs = 0;
  #toldMs = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  begin(name: string): void {
    this.#begun += 1;
    this.#beganMs = performance.now();
    console.error(`\n# ${name} (${this.#begun} of ${this.#names.length}, ${this.#left(0)})`);
  }

  /** `share` of the present part is done, 0..1. Told once a second at most. */
  within(share: number): void {
    if (performance.now() - this.#toldMs < 1_000) return;
    this.#toldMs = performance.now();
    console.error(`  ${Math.round(share * 100)} % of ${this.#names[this.#begun - 1]}, ${this.#left(share)}`);
  }

  end(): void {
    console.error(`\nall in ${Math.round((performance.now() - this.#startedMs) / 1000)} s`);
  }

  /** From how long the parts took so far, and this one by its share. */
  #left(share: number): string {
    const nowMs = performance.now();
    const finished = this.#begun - 1;
    const perPart = finished === 0 ? GUESS_SECONDS : (this.#beganMs - this.#startedMs) / 1000 / finished;
    const spent = (nowMs - this.#beganMs) / 1000;
    const here = share > 0.02 ? (spent / share) * (1 - share) : Math.max(0, perPart - spent);
    const seconds = Math.round(here + perPart * (this.#names.length - this.#begun));
    return `about ${seconds} s left`;
  }
}
