import { fstatSync, readSync } from 'node:fs';
import { endianness } from 'node:os';

/**
 * Sqlite's write-ahead log as it lies on the disk (https://www.sqlite.org/fileformat2.html#the_write_ahead_log): a header of 32
 * bytes, then frames of a header of 24 bytes and one page. Each frame holds the header's two salts and a checksum that goes on from the
 * frame before it; a frame with a database size ends a transaction. Frames with other salts are of an older generation of the same file.
 */
export const WAL_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x37_7f_06_82;
const VERSION = 3_007_000;
/** So many bytes are read at once. */
const PIECE_BYTES = 2 ** 20;

/** Frames that are there though the one before them is not what was written. */
export interface WalBreak {
  /** Counted from 0; -1 is the header. */
  readonly frame: number;
  /** Where it begins in the file, bytes. */
  readonly offset: number;
  /** How many frames behind it are what was written. */
  readonly intactBehind: number;
}

export interface WalScan {
  readonly pageBytes: number;
  /** Whole frames up to the end of the last whole transaction. */
  readonly frames: number;
  /** Of each page that they hold, where its newest content begins in the file, bytes. */
  readonly pages: ReadonlyMap<number, number>;
  /** The database's size in pages after the last whole transaction. */
  readonly databasePages: number;
  /** Whole frames behind it, of a transaction that has no end. */
  readonly unfinished: number;
  readonly broken: WalBreak | undefined;
  /** Where the contents of the intact frames behind the break begin, with their page numbers. */
  readonly behind: readonly (readonly [page: number, offset: number])[];
  /**
   * Those of them that prove that what is broken had been synced: of a stretch in which each frame goes on from the one before, and one goes on
   * from the end of a transaction. Nobody writes the next transaction before the last is on the disk. Others may be what a power cut left of
   * the last, unsynced transaction, before stale frames of one that was never finished.
   */
  readonly synced: readonly (readonly [page: number, offset: number])[];
}

/** The end of a checksum that goes over all frames so far. */
type Sum = readonly [number, number];

/** A log without frames: absent, empty or all zeros. */
export const NO_FRAMES: WalScan = {
  pageBytes: 0,
  frames: 0,
  pages: new Map(),
  databasePages: 0,
  unfinished: 0,
  broken: undefined,
  behind: [],
  synced: [],
};

/** Reads the whole log in pieces. `pageBytes` is that of the database, for a log whose own header is not whole. */
export function scanWal(descriptor: number, pageBytes: number): WalScan {
  const { size } = fstatSync(descriptor);
  if (size < WAL_HEADER_BYTES) return NO_FRAMES;
  const header = Buffer.alloc(WAL_HEADER_BYTES);
  readSync(descriptor, header, 0, WAL_HEADER_BYTES, 0);
  const scanner = new Scanner(header, pageBytes);
  const frameBytes = FRAME_HEADER_BYTES + scanner.pageBytes;
  const piece = Buffer.alloc(Math.max(1, Math.floor(PIECE_BYTES / frameBytes)) * frameBytes);
  for (let at = WAL_HEADER_BYTES; at < size; ) {
    const read = readSync(descriptor, piece, 0, piece.length, at);
    const whole = read - (read % frameBytes);
    for (let from = 0; from < whole; from += frameBytes)
      scanner.take(piece.subarray(from, from + frameBytes), at + from);
    if (whole < read) scanner.takePart(piece.subarray(whole, read), at + whole);
    if (read < piece.length) break;
    at += read;
  }
  return scanner.result();
}

class Scanner {
  readonly pageBytes: number;
  readonly #words: Words;
  /** The header's; where that is not whole those of the first frame. */
  #salts: Buffer | undefined;
  #sum: Sum;
  #seen = 0;
  #pages = new Map<number, number>();
  /** Of the transaction whose end has not come yet. */
  #open: [number, number][] = [];
  #frames = 0;
  #databasePages = 0;
  #broken: { frame: number; offset: number } | undefined;
  /** The broken one has this generation's salts: it was begun to be written, or is damaged. Others are of an older generation. */
  #isBegun = false;
  /** What the frame after the broken one may go on from: the checksum that stands in it, and the one that it should have. */
  #resumes: Sum[] = [];
  #behind: [number, number][] = [];
  /** Of the frames behind, those that go on from one another up to here; whether the last of them ends a transaction, and one before it. */
  #stretch: [number, number][] = [];
  #stretchEnds = false;
  #stretchGoesOn = false;
  #synced: [number, number][] = [];

  constructor(header: Buffer, pageBytes: number) {
    const magic = header.readUInt32BE(0);
    this.#words = new Words(magic === MAGIC + 1 && isStored(new Words(true).sum([0, 0], header, 0, 24), header, 24));
    const sum = this.#words.sum([0, 0], header, 0, 24);
    const isMagic = magic === MAGIC || magic === MAGIC + 1;
    const isWhole = isMagic && header.readUInt32BE(4) === VERSION && isStored(sum, header, 24);
    this.pageBytes = isWhole ? header.readUInt32BE(8) : pageBytes;
    this.#salts = isWhole ? Buffer.from(header.subarray(16, 24)) : undefined;
    this.#sum = sum;
    if (!isWhole) {
      this.#broken = { frame: -1, offset: 0 };
      this.#resumes = [sum, [header.readInt32BE(24), header.readInt32BE(28)]];
    }
  }

  take(frame: Buffer, offset: number): void {
    const number = this.#seen;
    this.#seen += 1;
    if (this.#salts === undefined && !isZero(frame)) this.#salts = Buffer.from(frame.subarray(8, 16));
    const isOurs = this.#salts !== undefined && frame.compare(this.#salts, 0, 8, 8, 16) === 0;
    if (this.#broken !== undefined) this.#takeBehind(frame, offset, isOurs);
    else this.#takeNext(frame, number, offset, isOurs);
  }

  /** The end of the file, if that is within a frame. */
  takePart(part: Buffer, offset: number): void {
    if (this.#broken !== undefined || isZero(part)) return;
    this.#broken = { frame: this.#seen, offset };
    this.#isBegun = true;
  }

  #takeNext(frame: Buffer, number: number, offset: number, isOurs: boolean): void {
    const sum = this.#sumAfter(this.#sum, frame);
    const isIntact = isStored(sum, frame, 16);
    if (!isOurs || !isIntact) {
      this.#broken = { frame: number, offset };
      this.#isBegun = isOurs || isIntact;
      this.#resumes = [storedIn(frame), sum];
      if (isIntact) this.#keepBehind(frame, offset); // its salts are wrong, and nothing else
      return;
    }
    this.#sum = sum;
    this.#open.push([frame.readUInt32BE(0), offset + FRAME_HEADER_BYTES]);
    const size = frame.readUInt32BE(4);
    if (size === 0) return;
    for (const [page, at] of this.#open) this.#pages.set(page, at);
    this.#open = [];
    this.#frames = number + 1;
    this.#databasePages = size;
  }

  #takeBehind(frame: Buffer, offset: number, isOurs: boolean): void {
    const isIntact = isOurs && this.#resumes.some((from) => isStored(this.#sumAfter(from, frame), frame, 16));
    this.#resumes = [storedIn(frame)];
    if (isIntact) this.#keepBehind(frame, offset);
    else this.#endStretch();
  }

  #keepBehind(frame: Buffer, offset: number): void {
    const place: [number, number] = [frame.readUInt32BE(0), offset + FRAME_HEADER_BYTES];
    this.#behind.push(place);
    this.#stretch.push(place);
    this.#stretchGoesOn ||= this.#stretchEnds;
    this.#stretchEnds = frame.readUInt32BE(4) !== 0;
  }

  #endStretch(): void {
    if (this.#stretchGoesOn) this.#synced = this.#synced.concat(this.#stretch);
    this.#stretch = [];
    this.#stretchEnds = false;
    this.#stretchGoesOn = false;
  }

  #sumAfter(from: Sum, frame: Buffer): Sum {
    return this.#words.sum(this.#words.sum(from, frame, 0, 8), frame, FRAME_HEADER_BYTES, frame.length);
  }

  result(): WalScan {
    this.#endStretch();
    const isBroken = this.#broken !== undefined && (this.#behind.length > 0 || this.#isBegun);
    return {
      pageBytes: this.pageBytes,
      frames: this.#frames,
      pages: this.#pages,
      databasePages: this.#databasePages,
      unfinished: this.#open.length,
      broken: isBroken ? { ...this.#broken!, intactBehind: this.#behind.length } : undefined,
      behind: this.#behind,
      synced: this.#synced,
    };
  }
}

/** The checksum of sqlite's log over words of 32 bits, which lie in the byte order that the log's first word says. */
class Words {
  readonly #bigEndian: boolean;

  constructor(bigEndian: boolean) {
    this.#bigEndian = bigEndian;
  }

  /** Goes on from `sum` over the bytes from `from` to `to`, a multiple of 8; `bytes` begins where words do in its memory. */
  sum(sum: Sum, bytes: Buffer, from: number, to: number): Sum {
    const words = this.#wordsOf(bytes.subarray(from, to));
    let [first, second] = sum;
    for (let i = 0; i < words.length; i += 2) {
      first = (first + words[i]! + second) | 0;
      second = (second + words[i + 1]! + first) | 0;
    }
    return [first, second];
  }

  /** As numbers in one view: put together from its bytes, each word takes several times as long. */
  #wordsOf(bytes: Buffer): Int32Array {
    const ordered = this.#bigEndian === HOST_IS_BIG_ENDIAN ? bytes : Buffer.from(bytes).swap32();
    return new Int32Array(ordered.buffer, ordered.byteOffset, ordered.length / 4);
  }
}

const HOST_IS_BIG_ENDIAN = endianness() === 'BE';

const storedIn = (frame: Buffer): Sum => [frame.readInt32BE(16), frame.readInt32BE(20)];

const isStored = ([first, second]: Sum, bytes: Buffer, at: number): boolean =>
  bytes.readInt32BE(at) === first && bytes.readInt32BE(at + 4) === second;

const isZero = (bytes: Buffer): boolean => bytes.every((byte) => byte === 0);
