import type { RecordedEvent } from '../../model/events.ts';
import type { EventFilter, StreamItem } from '../../model/reading.ts';
import { poolErrorOf, problemOf } from '../http/problems.ts';
import type { Channel, FanOut, Feed, Follower, Pin } from './fan-out.ts';
import { type Frame, frameOf, pieceOf } from './frames.ts';
import type { Outlet } from './outlet.ts';
import type { Seats } from './seats.ts';
import type { Pace } from './slices.ts';

export type Follow = (filter: EventFilter, signal: AbortSignal) => AsyncIterable<StreamItem<RecordedEvent>>;

/** A log that is streamed: what a reader catches up by, in its turn among others that do, and what it joins then. */
export interface Source {
  readonly follow: Follow;
  /** Whether the log has an event of this revision. */
  readonly has: (revision: number) => Promise<boolean>;
  readonly filter: EventFilter;
  readonly fanOut: FanOut;
  readonly catchUps: Seats;
  readonly pace: Pace;
}

/** Pieces after which a reader that catches up makes way, if others wait. */
export const PIECES_IN_A_ROW = 16;

/**
 * Writes a log as server-sent events from a revision on (default: the first that is kept), until it ends or `gone` aborts. A reader catches up by its position, a
 * piece at a time and at its own pace: while it does not take one, nothing more is read for it. Then it follows live, with the
 * others of its filter; when it falls behind there, it catches up again.
 */
export async function streamEvents(
  outlet: Outlet,
  source: Source,
  from: number | undefined,
  gone: AbortSignal,
): Promise<void> {
  const reader = new Reader(outlet, source, from, gone);
  outlet.write('retry: 1000\n\n');
  try {
    while (!gone.aborted && !(await reader.isThrough())) await outlet.clear();
    if (!gone.aborted) outlet.write('event: end\ndata: {}\n\n');
  } catch (error) {
    if (!gone.aborted) outlet.write(`event: error\ndata: ${JSON.stringify(problemOf(poolErrorOf(error)))}\n\n`);
  }
  outlet.end();
}

class Reader {
  readonly #outlet: Outlet;
  readonly #source: Source;
  readonly #gone: AbortSignal;
  /** Undefined = the first event that is kept. */
  #next: number | undefined;
  /** It begins where the log has not come to yet: what comes before that is for others only. */
  #isAhead: boolean | undefined;

  constructor(outlet: Outlet, source: Source, from: number | undefined, gone: AbortSignal) {
    this.#outlet = outlet;
    this.#source = source;
    this.#gone = gone;
    this.#next = from;
  }

  /** Catches up, and follows live until it falls behind. True if the log ended. Throws what reading threw. */
  async isThrough(): Promise<boolean> {
    const { fanOut, filter, has } = this.#source;
    const next = this.#next ?? 0;
    this.#isAhead ??= next > 0 && !(await has(next - 1));
    const channel = this.#isAhead ? fanOut.ownChannel() : fanOut.channel(filter);
    const pin = channel.pin();
    const feed = this.#feed();
    try {
      const caught = await this.#catchUp(feed);
      if (caught !== 'live') return caught === 'ended';
      return await this.#live(channel, pin, feed);
    } finally {
      channel.unpin(pin);
    }
  }

  #feed(): Feed {
    const { follow, filter } = this.#source;
    const stopped = new AbortController();
    const items = follow({ ...filter, ...(this.#next !== undefined && { from: this.#next }) }, stopped.signal)[
      Symbol.asyncIterator
    ]();
    const stop = (): void => {
      stopped.abort();
      void items.return?.().catch(() => {}); // nobody asks how a read ended that is given up
    };
    return { items, stop };
  }

  /** Writes history, a piece in a turn, as long as the reader takes them; what was read ahead for it is let go of then. */
  async #catchUp(feed: Feed): Promise<'live' | 'ended' | 'behind'> {
    const leave = await this.#source.catchUps.wait();
    let caught: 'live' | 'ended' | 'behind' | undefined;
    this.#gone.addEventListener('abort', feed.stop);
    try {
      for (let pieces = 0; caught === undefined; pieces += 1) {
        await this.#source.pace.turn();
        const makesWay = pieces >= PIECES_IN_A_ROW && this.#source.catchUps.areWanted;
        if (this.#gone.aborted) caught = 'ended';
        else if (!this.#outlet.isClear || makesWay) caught = 'behind';
        else caught = await this.#piece(feed);
      }
    } finally {
      leave();
      this.#gone.removeEventListener('abort', feed.stop);
      if (caught !== 'live') feed.stop();
    }
    return caught;
  }

  /** Undefined if there is more. */
  async #piece({ items }: Feed): Promise<'live' | 'ended' | undefined> {
    const frames: Frame[] = [];
    let bytes = 0;
    while (bytes < this.#outlet.pieceBytes && !this.#gone.aborted) {
      const item = await items.next().catch((error: unknown) => {
        this.#write(frames);
        throw error;
      });
      if (item.done === true || 'caughtUp' in item.value) {
        this.#write(frames);
        return item.done === true ? 'ended' : 'live';
      }
      const frame = frameOf(item.value.event);
      frames.push(frame);
      bytes += frame.bytes.length;
    }
    this.#write(frames);
    return undefined;
  }

  #write(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    this.#next = frames.at(-1)!.revision + 1;
    this.#outlet.write(pieceOf(frames));
  }

  #live(channel: Channel, pin: Pin, feed: Feed): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const outlet = this.#outlet;
      const gone = this.#gone;
      const settle = (through: boolean): void => {
        this.#next = follower.next;
        gone.removeEventListener('abort', onGone);
        resolve(through);
      };
      const onGone = (): void => {
        channel.drop(follower);
        settle(true);
      };
      const follower: Follower = {
        next: this.#next ?? 0,
        get isClear() {
          return outlet.isClear;
        },
        get pieceBytes() {
          return outlet.pieceBytes;
        },
        write: (piece) => outlet.write(piece),
        onClear: (run) => outlet.onClear(run),
        leave: (why) => {
          if (typeof why === 'object') reject(why.error);
          settle(why === 'ended');
        },
      };
      gone.addEventListener('abort', onGone);
      outlet.write(`event: caughtUp\ndata: {"next":${follower.next}}\n\n`);
      if (gone.aborted || !channel.join(follower, pin, feed)) {
        feed.stop();
        settle(gone.aborted);
      } else channel.unpin(pin);
    });
  }
}
