import { fstatSync, readSync, statSync } from 'node:fs';
import { DamagedLogError } from '../../errors.ts';
import { markPath, readMark } from '../high-water.ts';
import { closeRaw, openRaw } from './raw-files.ts';
import { NO_FRAMES, scanWal, type WalScan } from './wal-frames.ts';

/** So many pages are kept, of those that lead to others. */
const KEPT = 256;

/**
 * The pages of a database as the last whole transaction left them: from its write-ahead log where that has them, else from the file.
 * Only read, never through sqlite: nothing is locked, written, recovered or made.
 */
export class Pages {
  readonly path: string;
  readonly pageBytes: number;
  readonly wal: WalScan;
  readonly fileBytes: number;
  /** Of the file itself, in whole pages. */
  readonly filePages: number;
  readonly walBytes: number;
  readonly #file: number | undefined;
  readonly #wal: number | undefined = undefined;
  readonly #stamp: string;
  readonly #kept = new Map<number, Buffer>();

  /** `withWal`: the log counts. */
  constructor(path: string, pageBytes: number, withWal = true) {
    this.path = path;
    this.#stamp = stampOf(path);
    this.pageBytes = pageBytes;
    this.#file = openRaw(path);
    try {
      this.#wal = withWal ? openRaw(`${path}-wal`) : undefined;
      this.fileBytes = this.#file === undefined ? 0 : fstatSync(this.#file).size;
      this.filePages = Math.floor(this.fileBytes / pageBytes);
      this.walBytes = this.#wal === undefined ? 0 : fstatSync(this.#wal).size;
      this.wal = this.#wal === undefined ? NO_FRAMES : scanWal(this.#wal, pageBytes);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** After the last whole transaction. */
  get count(): number {
    return this.wal.frames > 0 ? this.wal.databasePages : this.filePages;
  }

  /** Whether anybody may have written to the files since they were first looked at. */
  get haveMoved(): boolean {
    return stampOf(this.path) !== this.#stamp;
  }

  /** The file as it would be without its log. */
  withoutWal(): Pages {
    return new Pages(this.path, this.pageBytes, false);
  }

  /** Throws DamagedLogError if there is no such page. */
  page(number: number): Buffer {
    const kept = this.#kept.get(number);
    if (kept !== undefined) return kept;
    const inWal = this.wal.pages.get(number);
    if (!(number >= 1 && number <= this.count)) throw this.damaged(number, 'there is no such page');
    return inWal === undefined ? this.filePage(number) : this.walPage(inWal);
  }

  keep(number: number, page: Buffer): void {
    if (this.#kept.size >= KEPT) this.#kept.clear();
    this.#kept.set(number, page);
  }

  /** As it lies in the file itself. */
  filePage(number: number): Buffer {
    if (this.#file === undefined) throw this.damaged(number, 'there is no file');
    return this.#read(this.#file, (number - 1) * this.pageBytes, number);
  }

  /** What a frame of the log holds, by where it begins. */
  walPage(offset: number): Buffer {
    return this.#read(this.#wal!, offset, offset);
  }

  damaged(number: number, what: string): DamagedLogError {
    return new DamagedLogError(`${this.path}, page ${number}`, what);
  }

  close(): void {
    for (const descriptor of [this.#file, this.#wal]) if (descriptor !== undefined) closeRaw(descriptor);
  }

  #read(descriptor: number, offset: number, number: number): Buffer {
    const page = Buffer.allocUnsafe(this.pageBytes);
    const read = readSync(descriptor, page, 0, this.pageBytes, offset);
    if (read < this.pageBytes) throw this.damaged(number, 'the file ends before it');
    return page;
  }
}

/** Of the files as they stand: what changes with every write. Two writes within one tick of the clock differ in the mark alone. */
export function stampOf(path: string): string {
  const files = ['', '-wal']
    .map((end) => statSync(`${path}${end}`, { bigint: true, throwIfNoEntry: false }))
    .map((stat) => (stat === undefined ? '-' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`));
  return [...files, JSON.stringify(readMark(markPath(path)))].join();
}
