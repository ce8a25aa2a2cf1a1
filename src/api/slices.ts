/** Steps of a few microseconds to about 20 each (a write to one reader), so that a slice takes about a ms. */
const SLICE_STEPS = 64;

/** Work in many small steps. */
export interface Due {
  steps(): Iterator<unknown>;
}

/**
 * Does what is due in slices, and lets the loop turn before each: whoever calls the service is answered in between, however many
 * readers there are. What is added twice before it begins is done once.
 */
export class Slices {
  readonly #later: (run: () => void) => void;
  readonly #due = new Set<Due>();
  #current: Iterator<unknown> | undefined;
  #scheduled = false;

  /** `later` runs a function in a later turn of the loop. */
  constructor(later: (run: () => void) => void = setImmediate) {
    this.#later = later;
  }

  add(due: Due): void {
    this.#due.add(due);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(this.#slice);
  }

  readonly #slice = (): void => {
    for (let step = 0; step < SLICE_STEPS; step += 1) {
      if (this.#step()) continue;
      this.#scheduled = false;
      return;
    }
    this.#later(this.#slice);
  };

  /** False if there is nothing left to do. */
  #step(): boolean {
    for (;;) {
      if (this.#current?.next().done === false) return true;
      const [next] = this.#due;
      if (next === undefined) {
        this.#current = undefined;
        return false;
      }
      this.#due.delete(next);
      this.#current = next.steps();
    }
  }
}

/** The next turn of the loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
