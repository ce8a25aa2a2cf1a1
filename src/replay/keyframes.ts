import type { PoolState } from '../domain/state.ts';
import type { Moment } from '../model/reading.ts';
import { bytesOf, type Frame, frameOf } from './copy-state.ts';

const FIRST_SPACING_EVENTS = 4_096;
/** A log of 1 M grants, releases and renewals takes 150 MB at the first distance. */
const MAX_BYTES = 160 * 2 ** 20;
/** Events between two frames that are counted again: to count one looks at each of its leases. */
const COUNT_EVERY = 64;

/**
 * Frames of the past at even distances, from which a seek sets out. They share the leases that live on from one to the next. When
 * they would take too much room, the distance doubles and every other one goes: so wherever one seeks, it is never further than
 * one distance, and memory is bounded. (Evicting the least recently used ones would leave holes that are as long as the log.)
 */
export class Keyframes {
  readonly #maxBytes: number;
  #spacing: number;
  readonly #frames = new Map<number, Frame>();
  /** An estimate. */
  #bytes = 0;
  /** Frames of which it is not known yet what they take since others went. */
  #uncounted: Frame[] = [];

  constructor(spacingEvents = FIRST_SPACING_EVENTS, maxBytes = MAX_BYTES) {
    this.#spacing = spacingEvents;
    this.#maxBytes = maxBytes;
  }

  /** Events between two of them. */
  get spacing(): number {
    return this.#spacing;
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Keeps a frame if the state stands where one belongs and is missing. */
  offer(state: PoolState): void {
    const { revision } = state;
    if (this.#uncounted.length > 0 && revision % COUNT_EVERY === 0) this.#count(this.#uncounted.pop()!);
    if (!this.#belongs(revision) || this.#frames.has(revision)) return;
    const frame = frameOf(state);
    this.#frames.set(revision, frame);
    this.#count(frame);
  }

  /** The last one that is not after the moment. */
  before(moment: Moment): Frame | undefined {
    let last: Frame | undefined;
    for (const frame of this.#frames.values())
      if (isUpTo(frame, moment) && (last === undefined || frame.revision > last.revision)) last = frame;
    return last;
  }

  /** Lets go of frames that are older than a revision. */
  forgetBefore(revision: number): void {
    const { size } = this.#frames;
    for (const of of this.#frames.keys()) if (of < revision) this.#frames.delete(of);
    if (this.#frames.size < size) this.#countAnew();
  }

  #belongs(revision: number): boolean {
    return (revision + 1) % this.#spacing === 0;
  }

  #thin(): void {
    this.#spacing *= 2;
    for (const revision of this.#frames.keys()) if (!this.#belongs(revision)) this.#frames.delete(revision);
    this.#countAnew();
  }

  #countAnew(): void {
    this.#bytes = 0;
    this.#uncounted = [...this.#frames.values()];
  }

  #count(frame: Frame): void {
    this.#bytes += bytesOf(frame, this.#frames.get(frame.revision - this.#spacing));
    if (this.#bytes > this.#maxBytes && this.#frames.size > 1) this.#thin();
  }
}

/** It has nothing folded that lies after the moment. */
export const isUpTo = ({ revision, at }: Pick<PoolState, 'revision' | 'at'>, moment: Moment): boolean =>
  'revision' in moment ? revision <= moment.revision : at <= moment.at;
