import { isHeld, isUnwritten } from '../codes.ts';
import { WAL_BYTES } from './wal.ts';

/** A log that is written so much is worth the room of a whole WAL; a short-lived one is left as it is. */
const EARNEST_BYTES = WAL_BYTES / 32;
/** Less than this is left to the next time when the log is idle. */
const MIN_BYTES = WAL_BYTES / 8;
/** From here on the WAL is copied into the file also while appends go on, so that it is begun anew before it outgrows its size. */
const FULL_BYTES = (WAL_BYTES / 4) * 3;
/** How long nothing must be appended until the log counts as idle. */
const IDLE_MS = 200;
/** Of a WAL that outgrew its size so many times people are told. */
const GROWN = 4;
/** A larger one is moved in a thread of its own: this one would stand for longer than callers should notice. */
const BESIDE_BYTES = WAL_BYTES * 2;

/** What a checkpoint came to; `held`: a reader kept it from being finished. */
export type Checkpoint = 'done' | 'held' | 'noRoom';

/** A write-ahead log as its keeper sees it. */
export interface KeptWal {
  /** Written since a checkpoint was last tried. */
  readonly walBytes: number;
  readonly walReserved: boolean;
  reserveWal(): void;
  readonly walFileBytes: number;
  checkpoint(mode: 'PASSIVE'): Checkpoint;
  checkpointBeside(mode: 'PASSIVE' | 'TRUNCATE'): Promise<Checkpoint>;
}

export interface WalKeeperOptions {
  /** Part of the work is an fsync, which is not to be repeated. */
  readonly failed: (cause: unknown) => void;
  /** The WAL cannot be moved into the file and has grown to so many bytes. Told once, until `shrunk`. */
  readonly grown: (bytes: number, why: 'held' | 'noRoom') => void;
  readonly shrunk: (bytes: number) => void;
}

/**
 * What the WAL needs is done between appends rather than inside one, where it costs milliseconds: it gets its size ahead, and is
 * copied into the file when the log has been idle, or, once it is nearly full, after the append's callers have been answered. What a
 * reader or a full disk kept from being copied is tried again each second, in a thread of its own if it is much; and a WAL that outgrew its
 * size is cut when nothing is appended.
 */
export class WalKeeper {
  readonly #options: WalKeeperOptions;
  #wal: KeptWal | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;
  /** What the last checkpoint came to. */
  #last: Checkpoint | undefined;
  #beside: Promise<void> | undefined;
  #appended = false;
  #told = false;

  constructor(options: WalKeeperOptions) {
    this.#options = options;
  }

  appended(wal: KeptWal): void {
    this.#appended = true;
    const { walBytes, walReserved } = wal;
    if (walBytes < (walReserved ? MIN_BYTES : EARNEST_BYTES)) return;
    this.#wal = wal;
    if (!walReserved || walBytes >= FULL_BYTES) this.#soon ??= setImmediate(() => this.#tend());
    else if (this.#timer === undefined) this.#timer = setTimeout(() => this.#tend(), IDLE_MS).unref();
    else this.#timer.refresh();
  }

  /** Each second. `fileBytes`: the size of the WAL's file. */
  look(wal: KeptWal, fileBytes: number): void {
    const idle = !this.#appended;
    this.#appended = false;
    const isMoved = this.#last === 'done' && wal.walBytes < MIN_BYTES;
    if (!isMoved && (this.#isKept || fileBytes > WAL_BYTES)) this.#move(wal);
    else if (isMoved && idle && fileBytes > WAL_BYTES) this.#moveBeside(wal, 'TRUNCATE');
    this.#tell(fileBytes);
  }

  /** Resolves when nothing is done beside. */
  async settled(): Promise<void> {
    await this.#beside;
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
    if (wal.walReserved) this.#move(wal);
    else this.#guarded(() => wal.reserveWal());
  }

  get #isKept(): boolean {
    return this.#last === 'held' || this.#last === 'noRoom';
  }

  #move(wal: KeptWal): void {
    if (wal.walFileBytes > BESIDE_BYTES) this.#moveBeside(wal, 'PASSIVE');
    else
      this.#guarded(() => {
        this.#last = wal.checkpoint('PASSIVE');
      });
  }

  /** TRUNCATE keeps appends waiting, so it comes when there are none, and next to nothing is left to be moved. */
  #moveBeside(wal: KeptWal, mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.#beside ??= wal
      .checkpointBeside(mode)
      .then(
        (ended) => {
          this.#last = ended;
        },
        (cause: unknown) => this.#ended(cause),
      )
      .finally(() => {
        this.#beside = undefined;
      });
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (cause) {
      this.#ended(cause);
    }
  }

  /** Of a write that was refused nothing is lost: all of it is in the WAL. */
  #ended(cause: unknown): void {
    if (isUnwritten(cause)) this.#last = 'noRoom';
    else if (isHeld(cause)) this.#last = 'held';
    else this.#options.failed(cause);
  }

  #tell(fileBytes: number): void {
    const isGrown = fileBytes >= GROWN * WAL_BYTES || this.#last === 'noRoom';
    if (this.#isKept && isGrown && !this.#told) {
      this.#told = true;
      this.#options.grown(fileBytes, this.#last === 'held' ? 'held' : 'noRoom');
    } else if (this.#told && !this.#isKept && fileBytes <= WAL_BYTES) {
      this.#told = false;
      this.#options.shrunk(fileBytes);
    }
  }
}
