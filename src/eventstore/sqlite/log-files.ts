import { type BigIntStats, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { markPath } from './high-water.ts';

export const lockPath = (logPath: string): string => `${logPath}.lock`;

/** What lstat says of a path at which nothing lies any more. */
const GONE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ESTALE']);
/** A folder that changed less than this ago may change once more without its time being another; ns. */
const FRESH_NS = 50_000_000n;

interface Seen {
  readonly path: string;
  readonly dev: bigint;
  readonly ino: bigint;
}

/**
 * The files of an open log, as they were opened: an open file lives on without its name, so what is written to it then is written for
 * nobody. Looked at by the stat of their paths alone: closing any descriptor of a file drops the locks that sqlite holds on it in this
 * process (POSIX), so nothing here opens one.
 */
export class LogFiles {
  readonly #path: string;
  /** The file and its lock: for as long as the store is open. */
  readonly #lasting: readonly Seen[];
  readonly #place: Seen;
  /** Those that a connection opens. */
  #opened: readonly Seen[] = [];
  /** When the folder last changed before the files were last looked at, ns. */
  #changedNs = -1n;
  #walBytes = 0;
  /** The file only grows. */
  #fileBytes: number;

  /** Of a log at a real path that is open, and locked. Throws what lstat says. */
  constructor(path: string) {
    this.#path = path;
    this.#place = seen(dirname(path));
    this.#lasting = [seen(path), seen(lockPath(path))];
    this.#fileBytes = sizeOf(this.#lasting[0]!) ?? 0;
  }

  /** The size of the write-ahead log when it was last looked at, bytes. */
  get walBytes(): number {
    return this.#walBytes;
  }

  /** Sqlite has opened the log: what lies there now is what it writes to, if it does not make it with its first write. */
  opened(): void {
    const there = this.#beside().map(seenIfThere);
    if (there.every((file) => file !== undefined)) this.#opened = there;
  }

  /** The log has been written to: all its files are there, or were. */
  written(): void {
    if (this.#opened.length === 0)
      this.#opened = this.#beside().map((path) => seenIfThere(path) ?? { path, ...NOTHING });
  }

  /** The log has been given up: its other files may come and go until it is opened again. */
  givenUp(): void {
    this.#opened = [];
    this.#changedNs = -1n;
  }

  /** Why the file or its lock is not the one that was opened; undefined if they are. */
  lookAtLasting(): string | undefined {
    return firstOf([this.#place, ...this.#lasting], moved);
  }

  /**
   * What is wrong with the files; undefined if nothing is. One stat as long as nothing was made, renamed or removed in the folder; so
   * it is cheap enough for each append. A file that was cut is seen by `look`.
   */
  glance(): string | undefined {
    const now = look(this.#place.path);
    if (isThere(now) && isSame(now, this.#place) && now.mtimeNs === this.#changedNs) return undefined;
    const wrong = this.look();
    if (wrong === undefined && isThere(now) && isSettled(now)) this.#changedNs = now.mtimeNs;
    return wrong;
  }

  /** What is wrong with the files; undefined if nothing is. `walEnd`: where the frames of the write-ahead log end, bytes. */
  look(walEnd: () => number = () => 0): string | undefined {
    const wrong = this.lookAtLasting() ?? firstOf(this.#opened, moved);
    return wrong ?? this.#cut(walEnd);
  }

  /** Only the write-ahead log has lost its name: what is in it can still be moved into the file. */
  get onlyWalIsGone(): boolean {
    const [wal] = this.#opened;
    return wal !== undefined && moved(wal) !== undefined && this.lookAtLasting() === undefined;
  }

  /** How many names (hard links) the file has; undefined if that cannot be told now. No other name can be opened to be written. */
  get names(): number | undefined {
    const now = look(this.#lasting[0]!.path);
    return isThere(now) ? Number(now.nlink) : undefined;
  }

  #beside(): string[] {
    return [`${this.#path}-wal`, `${this.#path}-shm`, markPath(this.#path)];
  }

  /** Where the frames end is asked last: another program may move them into the file, and cut it itself. */
  #cut(walEnd: () => number): string | undefined {
    const [file] = this.#lasting;
    const [wal] = this.#opened;
    const walSize = wal === undefined ? undefined : sizeOf(wal);
    if (walSize !== undefined) {
      this.#walBytes = walSize;
      const end = walEnd();
      if (walSize < end) return cut(wal!, walSize, end);
    }
    const size = sizeOf(file!) ?? this.#fileBytes;
    if (size < this.#fileBytes) return cut(file!, size, this.#fileBytes);
    this.#fileBytes = size;
    return undefined;
  }
}

/** What lies at a path; `gone` if nothing does; undefined if that cannot be told now. */
function look(path: string): BigIntStats | 'gone' | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    return GONE.has((error as NodeJS.ErrnoException).code) ? 'gone' : undefined;
  }
}

const isThere = (now: BigIntStats | 'gone' | undefined): now is BigIntStats => typeof now === 'object';
const isSame = (now: BigIntStats, { dev, ino }: Seen): boolean => now.dev === dev && now.ino === ino;
const isSettled = ({ mtimeNs }: BigIntStats): boolean => BigInt(Date.now()) * 1_000_000n - mtimeNs > FRESH_NS;

function seen(path: string): Seen {
  const { dev, ino } = lstatSync(path, { bigint: true });
  return { path, dev, ino };
}

/** As no file is. */
const NOTHING = { dev: -1n, ino: -1n };

function seenIfThere(path: string): Seen | undefined {
  return isThere(look(path)) ? seen(path) : undefined;
}

function moved(file: Seen): string | undefined {
  const now = look(file.path);
  if (now === 'gone') return `${file.path} is gone`;
  return now === undefined || isSame(now, file) ? undefined : `${file.path} is not the file that was opened`;
}

function sizeOf({ path }: Seen): number | undefined {
  const now = look(path);
  return isThere(now) ? Number(now.size) : undefined;
}

const cut = ({ path }: Seen, is: number, was: number): string => `${path} was cut to ${is} bytes, of ${was}`;

function firstOf(files: readonly Seen[], wrongWith: (file: Seen) => string | undefined): string | undefined {
  for (const file of files) {
    const wrong = wrongWith(file);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}
