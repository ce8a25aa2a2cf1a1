import { crc32 } from 'node:zlib';
import type { RecordedEvent } from '../../model/events.ts';
import { chain, type Row } from '../codec.ts';
import { type FoundMark, markPath, readMark } from '../high-water.ts';
import { type FileIdentity, type IdentityRow, identityFrom, PAGE_BYTES } from '../sqlite-schema.ts';
import { Pages } from './pages.ts';
import { rowsOfImage, type TableRow } from './tree.ts';
import { FRAME_HEADER_BYTES, WAL_HEADER_BYTES } from './wal-frames.ts';

/** A page of the file, or a frame of its write-ahead log, that holds events: the positions of its first and its last. */
interface Image {
  readonly first: number;
  readonly last: number;
  /** The page's number; for a frame where its content begins, negative. */
  readonly place: number;
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
  readonly mark: FoundMark;
  readonly identity: FileIdentity | undefined;
  /** The last position that any page or the mark knows of. */
  readonly lastKnown: number;
  readonly #pages: Pages;
  readonly #images: readonly Image[];

  constructor(path: string) {
    this.mark = readMark(markPath(path));
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
    const marked = typeof this.mark === 'string' ? 0 : this.mark.last;
    this.lastKnown = images.reduce((last, image) => Math.max(last, image.last), marked);
  }

  /** The id of the file, as far as anything tells it. */
  get id(): string | undefined {
    return this.identity?.id ?? (typeof this.mark === 'string' ? undefined : this.mark.id);
  }

  /** Every event that is proven, in the order of positions; what is missing between them is passed over. */
  *events(): Generator<Salvaged> {
    const near = new Map<number, Row[]>();
    let next = 0;
    let sums = this.#seeds();
    for (let position = 1; position <= this.lastKnown; position++) {
      for (; (this.#images[next]?.first ?? Number.POSITIVE_INFINITY) <= position; next++)
        this.#load(near, this.#images[next]!);
      const rows = near.get(position) ?? [];
      near.delete(position);
      const proven = rows.find(([, text, checksum]) => sums.some((sum) => chain(sum, text) === checksum));
      sums = proven === undefined ? rows.map(([, , checksum]) => checksum) : [proven[2]];
      if (proven !== undefined) yield { position, event: JSON.parse(proven[1]) as RecordedEvent };
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

  #load(near: Map<number, Row[]>, image: Image): void {
    for (const row of rowsOfImage(this.#pages, this.#read(image.place))) {
      if (!isEvent(row)) continue;
      const [position, [, text, checksum]] = row;
      const known = near.get(position);
      if (known === undefined) near.set(position, [[position, text as string, checksum as number]]);
      else if (!known.some((one) => one[1] === text && one[2] === checksum))
        known.push([position, text as string, checksum as number]);
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
