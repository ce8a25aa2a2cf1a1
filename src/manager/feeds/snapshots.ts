import type { Clock } from '../../model/clock.ts';
import type { EventStore, Snapshot } from '../../model/event-store.ts';
import type { Logger } from '../../model/interfaces.ts';
import { RepeatedFailure } from '../../model/repeated-failure.ts';

export interface SnapshotWriterOptions {
  readonly store: EventStore;
  readonly stream: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** One is written once so many events have been committed since the last, and `SPACING_MS` have passed. */
  readonly every: number;
  /** Of this very moment. */
  readonly take: () => Snapshot;
}

/** Writing one costs as much as the state is large, so they lie at least so far apart. */
const SPACING_MS = 60_000;

/** Writes snapshots off the hot path, one at a time. They are caches: a failure is logged, and that is all. */
export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions;
  readonly #failure: RepeatedFailure;
  #since = 0;
  #notBeforeMs = 0;
  #writing: Promise<void> | undefined;

  constructor(options: SnapshotWriterOptions) {
    this.#options = options;
    const { logger, clock } = options;
    this.#failure = new RepeatedFailure({
      logger,
      nowMs: () => clock.monotonic(),
      what: 'a snapshot could not be written',
    });
  }

  committed(events: number): void {
    this.#since += events;
    if (this.#since < this.#options.every || this.#writing !== undefined) return;
    const nowMs = this.#options.clock.monotonic();
    if (nowMs < this.#notBeforeMs) return;
    this.#since = 0;
    this.#notBeforeMs = nowMs + SPACING_MS;
    setImmediate(() => void this.write());
  }

  /** Settles when a snapshot of now, or of a moment ago, is written or has failed. */
  write(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const { store, stream, take } = this.#options;
    try {
      await store.snapshots.save(stream, take());
      this.#failure.ended();
    } catch (error) {
      this.#failure.failed(error);
    }
  }
}
