import type { PoolState } from '../domain/state.ts';
import type { Moment } from '../model/reading.ts';
import { copyPresent, presentSize } from './copy-state.ts';

const FIRST_SPACING_EVENTS = 4_096;
/** Records over all keyframes, about 200 bytes each: 60 MB at most. */
const MAX_RECORDS = 300_000;

/**
 * Copies of the past at even distances, from which a seek sets out. When they would hold too many records, the distance
 * doubles and every other one goes: so wherever one seeks, it is never further than one distance, and memory is bounded.
 * (Evicting the least recently used ones would leave holes that are as long as the log.)
 */
export class Keyframes {
  readonly #maxRecords: number;
  #spacing: number;
  readonly #frames = new Map<number, PoolState>();
  #records = 0;

  constructor(spacingEvents = FIRST_SPACING_EVENTS, maxRecords = MAX_RECORDS) {
    this.#spacing = spacingEvents;
    this.#maxRecords = maxRecords;
  }

  /** Events between two of them. */
  get spacing(): number {
    return this.#spacing;
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Keeps a copy if the state stands where one belongs and is missing. */
  offer(state: PoolState): void {
    if (!this.#belongs(state.revision) || this.#frames.has(state.revision)) return;
    this.#frames.set(state.revision, copyPresent(state));
    this.#records += presentSize(state);
    while (this.#records > this.#maxRecords && this.#frames.size > 1) this.#thin();
  }

  /** The last one that is not after the moment; it must be copied before it is folded on. */
  before(moment: Moment): PoolState | undefined {
    let last: PoolState | undefined;
    for (const frame of this.#frames.values())
      if (isUpTo(frame, moment) && (last === undefined || frame.revision > last.revision)) last = frame;
    return last;
  }

  #belongs(revision: number): boolean {
    return (revision + 1) % this.#spacing === 0;
  }

  #thin(): void {
    this.#spacing *= 2;
    for (const [revision, frame] of this.#frames) {
      if (this.#belongs(revision)) continue;
      this.#frames.delete(revision);
      this.#records -= presentSize(frame);
    }
  }
}

/** The state has nothing folded that lies after the moment. */
export const isUpTo = (state: PoolState, moment: Moment): boolean =>
  'revision' in moment ? state.revision <= moment.revision : state.at <= moment.at;
