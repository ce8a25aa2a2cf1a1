/** How long nothing must be appended before the WAL is copied into the file. */
const IDLE_MS = 200;
/** From here on it is copied also while appends go on, so that the WAL does not grow for ever. */
const MAX_EVENTS = 50_000;
/** Fewer are left to the next time. */
const MIN_EVENTS = 1_000;

/**
 * Runs a checkpoint between appends rather than inside one, where it costs milliseconds: when the log has been idle, or, once
 * very much has gathered, within IDLE_MS whatever comes.
 */
export class IdleCheckpoint {
  readonly #run: () => void;
  #events = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(run: () => void) {
    this.#run = run;
  }

  grown(events: number): void {
    this.#events += events;
    if (this.#events < MIN_EVENTS) return;
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#fire(), IDLE_MS).unref();
    else if (this.#events < MAX_EVENTS) this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #fire(): void {
    this.stop();
    this.#events = 0;
    this.#run();
  }
}
