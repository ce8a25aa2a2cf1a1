import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/interfaces.ts';

/** A long recovery says so often how far it is. */
const SAY_EVERY_MS = 5_000;

/** How far the log has been read, for whoever waits until it is. */
export class RecoveryProgress {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #head = -1;
  #from = -1;
  #revision = -1;
  #beganMs = 0;
  #saidMs = 0;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The events after `from` are read now, up to `head`. */
  began(from: number, head: number): void {
    [this.#from, this.#revision, this.#head] = [from, from, head];
    this.#beganMs = this.#clock.monotonic();
    this.#saidMs = this.#beganMs;
  }

  reached(revision: number): void {
    this.#revision = revision;
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#saidMs < SAY_EVERY_MS) return;
    this.#saidMs = nowMs;
    this.#logger.info({ revision, head: this.#head }, `the log is read: ${this.message}`);
  }

  ended(): void {
    const tookMs = Math.round(this.#clock.monotonic() - this.#beganMs);
    this.#logger.info(
      { events: this.#revision - this.#from, tookMs, revision: this.#revision },
      'the log has been read',
    );
  }

  /** Such as `revision 120000 of 300000, 240000 events/s, about 1 s left`. */
  get message(): string {
    if (this.#head < 0) return 'the log is opened';
    const where = `revision ${this.#revision} of ${this.#head}`;
    const [done, seconds] = [this.#revision - this.#from, (this.#clock.monotonic() - this.#beganMs) / 1_000];
    if (done <= 0 || seconds <= 0) return where;
    const left = Math.ceil(Math.max(0, this.#head - this.#revision) / (done / seconds));
    return `${where}, ${Math.round(done / seconds)} events/s, about ${left} s left`;
  }
}
