import { crc32 } from 'node:zlib';
import type { RecordedEvent } from '../../../model/events.ts';
import { chain } from '../../codec.ts';
import { Pages } from '../disk/pages.ts';
import { rowsOfImage, type TableRow } from '../disk/tree.ts';
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES } from '../disk/wal-frames.ts';
import { type FoundMark, markPath, readMark } from '../high-water.ts';
import { type FileIdentity, type IdentityRow, identityFrom, PAGE_BYTES } from '../schema.ts';

/** A page of the file, or a frame of its write-ahead log, that holds events: the positions of its first and its last. */
interface Image {
  readonly first: number;
  readonly last: number;
  /** The page's number; for a frame where its content begins, negative. */
  readonly place: number;
}

/** A row that was found for a position, and where: its page or another image may have rotted. */
interface Candidate {
  readonly text: string;
  readonly checksum: number;
  inFile: boolean;
  inWal: boolean;
}

/** An event that is proven to be what was written, with the position that it had. */
export interface Salvaged {
  readonly position: number;
  readonly event: RecordedEvent;
}

/**
 * What can be read of a damaged log, whatever is wrong with it: every page of the file and every frame of its write-ahead log is looked
 * through for events, whether anything leads to it or not. An event counts if its checksum fits it and the one before. Only reads.
 */
export class Salvage {
  /** That of this file, or of the one that it is a copy of. */
  readonly mark: FoundMark;
  readonly identity: FileIdentity | undefined;
  /** The last position that any page or the mark knows of. */
  readonly lastKnown: number;
  readonly #pages: Pages;
  readonly #images: readonly Image[];

  constructor(path: string) {
    this.#pages = new Pages(path, PAGE_BYTES);
    const images: Image[] = [];
    const identities: FileIdentity[] = [];
    for (const place of this.#places()) {
      const rows = [...rowsOfImage(this.#pages, this.#read(place))];
      identities.push(...rows.flatMap(identityOfRow));
      const events = rows.filter(isEvent).map(([position]) => position);
      if (events.length > 0) images.push({ first: Math.min(...events), last: Math.max(...events), place });
    }
    this.identity = identities[0];
    this.#images = images.sort((a, b) => a.first - b.first);
    const mark = readMark(markPath(path));
    const isOwn = typeof mark !== 'string' && (this.identity === undefined || mark.id === this.identity.id);
    const isOrigins = typeof mark !== 'string' && mark.id === this.identity?.origin;
    this.mark = isOwn || isOrigins ? mark : 'absent';
    const marked = isOwn ? mark.last : 0;
    this.lastKnown = images.reduce((last, image) => Math.max(last, image.last), marked);
  }

  /** The id of the file, as far as anything tells it. */
  get id(): string | undefined {
    return this.identity?.id ?? (typeof this.mark === 'string' ? undefined : this.mark.id);
  }

  /**
   * Every event that is proven, in the order of positions; what is missing between them is passed over. Behind a gap the chain is taken up
   * again from what lies there, but from frames only once one of them was proven before: a write-ahead log may be another's.
   */
  *events(): Generator<Salvaged> {
    const near = new Map<number, Candidate[]>();
    let next = 0;
    let sums = this.#seeds();
    let isWalOurs = false;
    for (let position = 1; position <= this.lastKnown; position++) {
      for (; (this.#images[next]?.first ?? Number.POSITIVE_INFINITY) <= position; next++)
        this.#load(near, this.#images[next]!);
      const found = near.get(position) ?? [];
      near.delete(position);
      const proven = found.find(({ text, checksum }) => sums.some((sum) => chain(sum, text) === checksum));
      if (proven === undefined) {
        sums = found.filter(({ inFile }) => inFile || isWalOurs).map(({ checksum }) => checksum);
        continue;
      }
      sums = [proven.checksum];
      isWalOurs ||= proven.inWal;
      yield { position, event: JSON.parse(proven.text) as RecordedEvent };
    }
  }

  close(): void {
    this.#pages.close();
  }

  /** What the first event may be chained to. */
  #seeds(): number[] {
    if (this.identity !== undefined) return [this.identity.seed];
    return this.id === undefined ? [] : [crc32(this.id)];
  }

  #load(near: Map<number, Candidate[]>, { place }: Image): void {
    for (const row of rowsOfImage(this.#pages, this.#read(place))) {
      if (!isEvent(row)) continue;
      const [position, values] = row;
      const [text, checksum] = [values[1] as string, values[2] as number];
      const found = near.get(position) ?? [];
      near.set(position, found);
      let same = found.find((one) => one.text === text && one.checksum === checksum);
      if (same === undefined) {
        same = { text, checksum, inFile: false, inWal: false };
        found.push(same);
      }
      if (place > 0) same.inFile = true;
      else same.inWal = true;
    }
  }

  *#places(): Generator<number> {
    const { pageBytes, filePages, walBytes } = this.#pages;
    for (let page = 2; page <= filePages; page++) yield page;
    const frameBytes = FRAME_HEADER_BYTES + pageBytes;
    for (let at = WAL_HEADER_BYTES; at + frameBytes <= walBytes; at += frameBytes) yield -(at + FRAME_HEADER_BYTES);
  }

  #read(place: number): Buffer {
    return place > 0 ? this.#pages.filePage(place) : this.#pages.walPage(-place);
  }
}

const isEvent = ([position, values]: TableRow): boolean =>
  Number.isSafeInteger(position) &&
  typeof values[1] === 'string' &&
  values[1].startsWith('{') &&
  typeof values[2] === 'number';

function identityOfRow([, values]: TableRow): FileIdentity[] {
  const identity = values.length === 6 ? identityFrom(values.slice(1) as unknown as IdentityRow) : undefined;
  return identity === undefined ? [] : [identity];
}
