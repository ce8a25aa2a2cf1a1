import type { RecordedEvent } from '../../model/events.ts';
import type { Page } from '../../model/reading.ts';
import type { Outlet } from './outlet.ts';
import type { Seats } from './seats.ts';
import type { Pace } from './slices.ts';
import { PIECES_IN_A_ROW } from './sse.ts';

/** Small, so that little is read twice for a reader that stops in the middle of a page. */
const PAGE_EVENTS = 128;

export type PageAt<E> = (page: { readonly cursor?: string; readonly limit: number }) => Promise<Page<E>>;

/** An export: its first page is read before anything is answered, so that what is wrong is answered as a problem. */
export class Export<E extends RecordedEvent> {
  readonly #pageAt: PageAt<E>;
  #left: number;
  #page: Page<E> | undefined;
  #place = 0;

  constructor(pageAt: PageAt<E>, limit = Number.POSITIVE_INFINITY) {
    this.#pageAt = pageAt;
    this.#left = limit;
  }

  /** Reads the page from a cursor on. */
  async read(cursor?: string): Promise<void> {
    const limit = Math.min(PAGE_EVENTS, this.#left);
    this.#place = 0;
    this.#page = await this.#pageAt({ limit, ...(cursor === undefined ? {} : { cursor }) });
  }

  /**
   * Writes the log as one JSON text a line, each page in its turn, at the reader's pace. Nothing is held for a reader that does not
   * take what it was given: its page is let go of, and read again from the place where it goes on.
   */
  async writeTo(outlet: Outlet, seats: Seats, pace: Pace): Promise<void> {
    let cursor = this.#write(outlet);
    while (cursor !== undefined && !outlet.isGone) {
      this.#page = undefined;
      await outlet.clear();
      const leave = await seats.wait();
      cursor = await this.#burst(cursor, outlet, seats, pace).finally(leave);
    }
  }

  /** Pieces as long as the reader takes them; answers where to go on. */
  async #burst(from: string, outlet: Outlet, seats: Seats, pace: Pace): Promise<string | undefined> {
    let cursor: string | undefined = from;
    for (let pieces = 0; cursor !== undefined; pieces += 1) {
      await pace.turn();
      if (outlet.isGone || !outlet.isClear) return cursor;
      if (pieces >= PIECES_IN_A_ROW && seats.areWanted) return cursor;
      if (this.#page === undefined) await this.read(cursor);
      cursor = this.#write(outlet);
    }
    return undefined;
  }

  /** One piece of the page; answers where to go on, undefined at the end. */
  #write(outlet: Outlet): string | undefined {
    const { items, next } = this.#page!;
    let piece = '';
    while (this.#place < items.length && piece.length < outlet.pieceBytes) {
      piece += `${JSON.stringify(items[this.#place])}\n`;
      this.#place += 1;
      this.#left -= 1;
    }
    if (piece !== '') outlet.write(Buffer.from(piece));
    if (this.#place < items.length) return String(items[this.#place]!.revision);
    this.#page = undefined;
    return this.#left > 0 ? (next ?? undefined) : undefined;
  }
}
