import type { Dimensions } from '../dimensions.ts';
import { dropEntry, type Journal } from './journal.ts';
import { Tally } from './tally.ts';

/** So many owners are looked at, with each that comes anew, for one that holds nothing: their number follows that of those who hold something. */
const LOOKED_AT = 2;

/**
 * What every owner holds, so that a quota that comes into force needs no counting. A tally of nothing may be made, or let go, at
 * any time: it is as if there were none.
 */
export class Holdings {
  readonly #numbered: Dimensions;
  readonly #tallies = new Map<string, Tally>();
  #hand: Iterator<[string, Tally]> = this.#tallies.entries();

  constructor(numbered: Dimensions) {
    this.#numbered = numbered;
  }

  get size(): number {
    return this.#tallies.size;
  }

  /** `kept`: owners whose tally is used elsewhere, too. */
  of(owner: string, kept: ReadonlyMap<string, Tally>, journal: Journal | undefined): Tally {
    const known = this.#tallies.get(owner);
    if (known !== undefined) return known;
    for (let i = 0; i < LOOKED_AT; i++) this.#letGo(kept, journal);
    const tally = kept.get(owner) ?? new Tally(this.#numbered);
    this.#tallies.set(owner, tally);
    return tally;
  }

  /** Noted in the journal: of the tally that goes earlier steps may be undone. */
  #letGo(kept: ReadonlyMap<string, Tally>, journal: Journal | undefined): void {
    const next = this.#hand.next();
    if (next.done === true) {
      this.#hand = this.#tallies.entries();
      return;
    }
    const [owner, tally] = next.value;
    if (tally.isZero && !kept.has(owner)) dropEntry(journal, this.#tallies, owner, tally);
  }
}
