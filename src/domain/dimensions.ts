import { type Amounts, areEqual, hashOf } from '../model/values/amounts.ts';

/** Amounts by the numbers of their dimensions, without zeros: what sums and comparisons are made with. */
export interface Demand {
  readonly names: readonly string[];
  readonly dimensions: readonly number[];
  readonly amounts: readonly number[];
}

const KEPT_DEMANDS = 1_024;

interface Kept {
  readonly of: Amounts;
  readonly demand: Demand;
}

/**
 * The dimensions that a pool has known, numbered as they came. Numbers are never taken back, so that an undo does not touch
 * them; they are this process's own and stand in no event and no snapshot. Tallies are arrays by these numbers: a keyed read
 * of a record costs several times as much, and a decision makes about fifty.
 */
export class Dimensions {
  readonly names: string[] = [];
  /** Another number whenever a tally by these numbers has changed. */
  changes = 0;
  readonly #numbers = new Map<string, number>();
  /** The last demands, by a hash of their amounts. */
  readonly #kept: (Kept | undefined)[] = new Array(KEPT_DEMANDS).fill(undefined);
  #lastOf: Amounts | undefined;
  #last: Demand = { names: [], dimensions: [], amounts: [] };

  /** -1 if it was never known. */
  find(name: string): number {
    return this.#numbers.get(name) ?? -1;
  }

  number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.names.length);
    return this.names.push(name) - 1;
  }

  /** Equal amounts mostly give the same object, the same amounts always. */
  demand(of: Amounts): Demand {
    if (this.#lastOf === of) return this.#last;
    const place = hashOf(of) & (KEPT_DEMANDS - 1);
    const kept = this.#kept[place];
    const demand = kept !== undefined && areEqual(kept.of, of) ? kept.demand : this.#compile(of);
    if (kept?.demand !== demand) this.#kept[place] = { of, demand };
    this.#lastOf = of;
    this.#last = demand;
    return demand;
  }

  /** By number; 0 where a dimension is not named. */
  dense(amounts: Amounts): number[] {
    for (const name in amounts) this.number(name);
    return this.names.map((name) => amounts[name] ?? 0);
  }

  #compile(of: Amounts): Demand {
    const names = Object.keys(of).filter((name) => of[name] !== 0);
    return { names, dimensions: names.map((name) => this.number(name)), amounts: names.map((name) => of[name]!) };
  }
}
