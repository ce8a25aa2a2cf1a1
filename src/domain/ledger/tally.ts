import type { Amounts } from '../../model/values/amounts.ts';
import type { Demand, Dimensions } from '../dimensions.ts';
import { type Journal, Undoable } from './journal.ts';

/** Amounts that the fold updates in place, by the number of their dimension. */
export class Tally extends Undoable {
  readonly dimensions: Dimensions;
  /** Shorter than the dimensions that are known: the rest are 0. */
  readonly amounts: number[];

  constructor(dimensions: Dimensions, amounts: readonly number[] = []) {
    super();
    this.dimensions = dimensions;
    this.amounts = [...amounts];
    this.widen();
  }

  /** In one dimension. */
  of(name: string): number {
    return this.at(this.dimensions.find(name));
  }

  at(dimension: number): number {
    return this.amounts[dimension] ?? 0;
  }

  /** Adds `sign` times the demand; a sum below zero is an impossible history. */
  add(journal: Journal | undefined, demand: Demand, sign: 1 | -1): void {
    if (sign === -1) this.#mustHold(demand);
    this.#move(demand, sign);
    if (journal !== undefined) journal.note(this, demand, sign);
  }

  override undo(demand: Demand, sign: 1 | -1): void {
    this.#move(demand, sign === 1 ? -1 : 1);
  }

  override redo(demand: Demand, sign: 1 | -1): void {
    this.#move(demand, sign);
  }

  #move({ dimensions, amounts: moved }: Demand, sign: 1 | -1): void {
    const { amounts } = this;
    this.dimensions.changes += 1;
    for (let i = 0; i < dimensions.length; i++) {
      const dimension = dimensions[i]!;
      if (dimension >= amounts.length) this.widen();
      amounts[dimension] = amounts[dimension]! + sign * moved[i]!;
    }
  }

  /** Before anything is changed. */
  #mustHold({ dimensions, amounts: moved }: Demand): void {
    for (let i = 0; i < dimensions.length; i++) {
      const left = this.at(dimensions[i]!) - moved[i]!;
      if (left < 0) throw new RangeError(`${this.dimensions.names[dimensions[i]!]} would fall to ${left}`);
    }
  }

  /** A place for every dimension that is known now: reading past an array's end is slow ever after. */
  widen(): void {
    while (this.amounts.length < this.dimensions.names.length) this.amounts.push(0);
  }

  copy(): Tally {
    return new Tally(this.dimensions, this.amounts);
  }

  get isZero(): boolean {
    return this.amounts.every((amount) => amount === 0);
  }

  /** By name; what is zero is left out. */
  toJSON(): Amounts {
    const named: Record<string, number> = {};
    for (const [dimension, amount] of this.amounts.entries())
      if (amount !== 0) named[this.dimensions.names[dimension]!] = amount;
    return named;
  }

  static from(dimensions: Dimensions, amounts: Amounts): Tally {
    return new Tally(dimensions, dimensions.dense(amounts));
  }
}
