import { WAL_BYTES } from './wal.ts';

/** A log that is written so much is worth the room of a whole WAL; a short-lived one is left as it is. */
const EARNEST_BYTES = WAL_BYTES / 32;
/** Less than this is left to the next time when the log is idle. */
const MIN_BYTES = WAL_BYTES / 8;
/** From here on the WAL is copied into the file also while appends go on, so that it is begun anew before it outgrows its size. */
const FULL_BYTES = (WAL_BYTES / 4) * 3;
/** How long nothing must be appended until the log counts as idle. */
const IDLE_MS = 200;

/** A write-ahead log as its keeper sees it. */
export interface KeptWal {
  /** Written since a checkpoint was last tried. */
  readonly walBytes: number;
  readonly walReserved: boolean;
  reserveWal(): void;
  checkpoint(mode: 'PASSIVE'): boolean;
}

/**
 * What the WAL needs is done between appends rather than inside one, where it costs milliseconds: it gets its size ahead, and is
 * copied into the file when the log has been idle, or, once it is nearly full, after the append's callers have been answered.
 */
export class WalKeeper {
  readonly #failed: (cause: unknown) => void;
  #wal: KeptWal | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  /** `failed`: part of the work is an fsync, which is not to be repeated. */
  constructor(failed: (cause: unknown) => void) {
    this.#failed = failed;
  }

  appended(wal: KeptWal): void {
    const { walBytes, walReserved } = wal;
    if (walBytes < (walReserved ? MIN_BYTES : EARNEST_BYTES)) return;
    this.#wal = wal;
    if (!walReserved || walBytes >= FULL_BYTES) this.#soon ??= setImmediate(() => this.#tend());
    else if (this.#timer === undefined) this.#timer = setTimeout(() => this.#tend(), IDLE_MS).unref();
    else this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    this.#timer = undefined;
    this.#soon = undefined;
    this.#wal = undefined;
  }

  #tend(): void {
    const wal = this.#wal!;
    this.stop();
    try {
      if (wal.walReserved) wal.checkpoint('PASSIVE');
      else wal.reserveWal();
    } catch (cause) {
      this.#failed(cause);
    }
  }
}
