import type { RecordedEvent } from '../../model/events.ts';
import type { EventFilter, StreamItem } from '../../model/reading.ts';
import { type Frame, frameOf, pieceOf } from './frames.ts';
import type { ReaderBudget } from './reader-budget.ts';
import { type Due, Slices } from './slices.ts';

/** What lies ready for the readers of one filter together, before those that have not taken it are left behind. */
export interface Bounds {
  readonly events: number;
  readonly bytes: number;
}

/** A live reader, as what it follows sees it. */
export interface Follower {
  /** The revision that it goes on from. */
  next: number;
  /** Whether it has taken everything so far. */
  readonly isClear: boolean;
  readonly pieceBytes: number;
  write(piece: Buffer): void;
  onClear(run: () => void): void;
  /** It is followed no more: it fell behind, or the log ended, or cannot be read. */
  leave(why: 'behind' | Over): void;
}

/** What is followed live, past the mark that it has caught up, and how to end it. */
export interface Feed {
  readonly items: AsyncIterator<StreamItem<RecordedEvent>>;
  stop(): void;
}

/** A reader that catches up: as long as it does, nothing that comes meanwhile is let go of. */
export interface Pin {
  readonly dropped: number;
}

/** So many events are taken in before their readers are served: more would outrun them. */
const BURST = 256;

/**
 * The readers that follow a log live, those with equal filters together: each event is read, written as text and encoded once for
 * all of them, and given to them in turns of the loop after its callers were answered. A reader holds one piece at most; one
 * that does not take it is left behind when more has come than the bounds allow, and catches up from the log by its position.
 */
export class FanOut {
  readonly #channels = new Map<string, Channel>();
  readonly #bounds: Bounds;
  readonly #budget: ReaderBudget;
  readonly #slices: Slices;

  constructor(bounds: Bounds, budget: ReaderBudget, slices = new Slices()) {
    this.#bounds = bounds;
    this.#budget = budget;
    this.#slices = slices;
  }

  /** For a reader that shares nothing. */
  ownChannel(): Channel {
    return new Channel(this.#bounds, this.#budget, this.#slices, () => {});
  }

  /** What the readers of a filter share; `from` does not count. */
  channel({ from: _, ...filter }: EventFilter): Channel {
    const key = JSON.stringify(Object.entries(filter).sort(([a], [b]) => (a < b ? -1 : 1)));
    const known = this.#channels.get(key);
    if (known !== undefined) return known;
    const channel: Channel = new Channel(this.#bounds, this.#budget, this.#slices, () => {
      if (this.#channels.get(key) === channel) this.#channels.delete(key);
    });
    this.#channels.set(key, channel);
    return channel;
  }
}

/** How the log ended for those that follow it. */
type Over = 'ended' | { readonly error: unknown };

/** Some frames as one piece, for whoever goes on from the same place. */
interface Joined {
  readonly first: number;
  readonly last: number;
  readonly limit: number;
  readonly piece: Buffer;
  readonly next: number;
}

/** The readers of one filter. */
export class Channel implements Due {
  readonly #bounds: Bounds;
  readonly #budget: ReaderBudget;
  readonly #slices: Slices;
  readonly #unused: () => void;
  /** Each with what runs when it has taken what it was given. */
  readonly #followers = new Map<Follower, () => void>();
  readonly #pins = new Set<Pin>();
  /** In the order of the log; those before the first have been taken by all, or were let go of. */
  #frames: Frame[] = [];
  #bytes = 0;
  /** How many were let go of that somebody may not have taken. */
  #dropped = 0;
  /** What was before this revision was let go of: followers that go on from before it are behind. */
  #start = 0;
  #feed: Feed | undefined;
  #over: Over | undefined;
  #joined: Joined | undefined;
  #served: (() => void) | undefined;

  /** `unused`: told when nobody follows or catches up any more. */
  constructor(bounds: Bounds, budget: ReaderBudget, slices: Slices, unused: () => void) {
    this.#bounds = bounds;
    this.#budget = budget;
    this.#slices = slices;
    this.#unused = unused;
  }

  /** Taken before a reader begins to catch up, and given back to `unpin`. */
  pin(): Pin {
    const pin = { dropped: this.#dropped };
    this.#pins.add(pin);
    return pin;
  }

  unpin(pin: Pin): void {
    this.#pins.delete(pin);
    this.#restIfUnused();
  }

  /**
   * Joins a reader that has just caught up by `feed`, which goes on for all if nobody follows yet, and is stopped if somebody does.
   * No event is missed in between: whatever came since the pin is kept. False if that was too much: the reader catches up again.
   */
  join(follower: Follower, pin: Pin, feed: Feed): boolean {
    const missed = this.#over !== undefined || (this.#feed !== undefined && pin.dropped !== this.#dropped);
    if (this.#feed !== undefined || missed) feed.stop();
    if (missed) return false;
    if (this.#feed === undefined) this.#follow(feed);
    const again: Due = { steps: () => [this.#serve(follower)].values() };
    this.#followers.set(follower, () => this.#slices.add(again));
    this.#slices.add(again);
    return true;
  }

  drop(follower: Follower): void {
    if (this.#followers.delete(follower)) this.#restIfUnused();
  }

  /** Serves every follower, then lets go of what all of them have. */
  *steps(): Generator<void> {
    for (const follower of [...this.#followers.keys()]) {
      this.#serve(follower);
      yield;
    }
    this.#letGo();
    this.#served?.();
    this.#served = undefined;
  }

  #follow(feed: Feed): void {
    this.#feed = feed;
    this.#start = 0;
    void this.#run(feed).then(
      () => this.#end(feed, 'ended'),
      (error: unknown) => this.#end(feed, { error }),
    );
  }

  async #run({ items }: Feed): Promise<void> {
    let burst = 0;
    for (let item = await items.next(); item.done !== true; item = await items.next()) {
      if ('caughtUp' in item.value || this.#feed?.items !== items) continue;
      this.#add(frameOf(item.value.event));
      burst += 1;
      if (burst < BURST && this.#bytes * 2 < this.#bounds.bytes) continue;
      burst = 0;
      await this.#round();
    }
  }

  /** Those that follow leave once they have what is left. */
  #end(feed: Feed, over: Over): void {
    if (this.#feed !== feed) return;
    this.#over = over;
    this.#unused();
    this.#slices.add(this);
  }

  #add(frame: Frame): void {
    this.#frames.push(frame);
    this.#bytes += frame.bytes.length;
    this.#budget.add(frame.bytes.length);
    const { events, bytes } = this.#bounds;
    while (this.#frames.length > events || (this.#bytes > bytes && this.#frames.length > 1)) {
      this.#dropped += 1;
      this.#forget(1);
    }
    this.#slices.add(this);
  }

  /** Settles when all have been served. */
  #round(): Promise<void> {
    return new Promise((resolve) => {
      this.#served = resolve;
      this.#slices.add(this);
    });
  }

  #serve(follower: Follower): void {
    const onClear = this.#followers.get(follower);
    if (onClear === undefined) return;
    const first = this.#placeOf(follower.next);
    if (follower.next < this.#start) this.#leave(follower, 'behind');
    else if (first < this.#frames.length) this.#give(follower, first, onClear);
    else if (this.#over !== undefined) this.#leave(follower, this.#over);
  }

  /** A piece, if it has taken the last one; what is left when it has taken that. */
  #give(follower: Follower, first: number, onClear: () => void): void {
    if (follower.isClear) {
      const { piece, next } = this.#pieceFrom(first, follower.pieceBytes);
      follower.next = next;
      follower.write(piece);
    }
    const isLeft = follower.next <= this.#frames.at(-1)!.revision;
    if (isLeft || this.#over !== undefined) follower.onClear(onClear);
  }

  #leave(follower: Follower, why: 'behind' | Over): void {
    this.drop(follower);
    follower.leave(why);
  }

  /** Where the frames from a revision on begin. */
  #placeOf(revision: number): number {
    let low = 0;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#frames[middle]!.revision < revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #pieceFrom(place: number, limit: number): Joined {
    const first = this.#frames[place]!.revision;
    const last = this.#frames.at(-1)!.revision;
    const known = this.#joined;
    if (known?.first === first && known.last === last && known.limit === limit) return known;
    let end = place + 1;
    let bytes = this.#frames[place]!.bytes.length;
    while (end < this.#frames.length && bytes + this.#frames[end]!.bytes.length <= limit) {
      bytes += this.#frames[end]!.bytes.length;
      end += 1;
    }
    const piece = pieceOf(this.#frames.slice(place, end));
    this.#joined = { first, last, limit, piece, next: this.#frames[end - 1]!.revision + 1 };
    return this.#joined;
  }

  /** What every follower has, unless somebody catches up and may need it. */
  #letGo(): void {
    if (this.#pins.size > 0) return;
    let least = Number.POSITIVE_INFINITY;
    for (const { next } of this.#followers.keys()) if (next < least) least = next;
    this.#forget(this.#placeOf(least));
  }

  #forget(count: number): void {
    for (const { revision, bytes } of this.#frames.splice(0, count)) {
      this.#start = revision + 1;
      this.#bytes -= bytes.length;
      this.#budget.free(bytes.length);
    }
    if (this.#frames.length === 0) this.#joined = undefined;
  }

  #restIfUnused(): void {
    if (this.#followers.size > 0) return;
    this.#feed?.stop();
    this.#feed = undefined;
    this.#forget(this.#frames.length);
    this.#served?.();
    this.#served = undefined;
    if (this.#pins.size === 0) this.#unused();
  }
}
