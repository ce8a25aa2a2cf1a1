import { type Amounts, amountIn } from '../model/amounts.ts';
import { type Journal, put } from './journal.ts';
import type { Tally } from './state.ts';

/** Adds `sign` times the amounts, dimension by dimension; a sum below zero is an impossible history. */
export function addTo(journal: Journal | undefined, tally: Tally, amounts: Amounts, sign: 1 | -1): void {
  for (const dimension in amounts) {
    const sum = amountIn(tally, dimension) + sign * amountIn(amounts, dimension);
    if (sum < 0) throw new RangeError(`${dimension} would fall to ${sum}`);
    put(journal, tally, dimension, sum);
  }
}
