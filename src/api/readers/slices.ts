/** A step is a write to one reader, of about 20 us: a slice takes a third of a ms. */
const SLICE_STEPS = 16;

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

/** Between two pieces the loop turns freely: it accepts one connection in a turn, for instance. */
const PAUSE_MS = 1;

/** Lets one go on after the other, in the order of coming: what each does then is a slice of its own. */
export class Pace {
  readonly #later: (run: () => void) => void;
  readonly #waiting: (() => void)[] = [];
  #scheduled = false;

  /** `later` runs a function when the loop has turned. */
  constructor(later: (run: () => void) => void = (run) => setTimeout(run, PAUSE_MS)) {
    this.#later = later;
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.length === 0) return;
    this.#scheduled = true;
    this.#later(() => {
      this.#scheduled = false;
      this.#waiting.shift()!();
      this.#schedule();
    });
  }
}
