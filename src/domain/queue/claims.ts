import type { Dimensions } from '../dimensions.ts';
import type { Tally } from '../ledger/tally.ts';

/** A tier, as far as its claim goes. */
interface Claiming {
  readonly allocated: Tally;
  readonly quarantined: Tally;
  readonly limits: { readonly guaranteed: readonly number[] };
}

/** A pool, as far as its tiers' claims go. */
interface Shared {
  readonly tiers: readonly Claiming[];
  /** What is allocatable, by the numbers of the dimensions. */
  readonly whole: readonly number[];
  readonly numbered: Dimensions;
}

/** What a tier holds, leases and quarantine. */
export const takenOf = (tier: Claiming, dimension: number): number =>
  tier.allocated.at(dimension) + tier.quarantined.at(dimension);

/** What a tier takes away from the others: what it holds, and at least what it keeps for itself alone. */
export const claimOf = (tier: Claiming, dimension: number): number =>
  Math.max(takenOf(tier, dimension), tier.limits.guaranteed[dimension] ?? 0);

/** The claims of all tiers together, and what they all keep for themselves alone: summed once for each change of what is held, or of the sizes. */
export class Claims {
  /** Sizes come with a new list of what is allocatable. */
  #whole: readonly number[] | undefined;
  #changes = -1;
  #claimed: number[] = [];
  #guaranteed: number[] = [];

  claimedAt(state: Shared, dimension: number): number {
    if (this.#whole !== state.whole || this.#changes !== state.numbered.changes) this.#sum(state);
    return this.#claimed[dimension] ?? 0;
  }

  guaranteedAt(state: Shared, dimension: number): number {
    if (this.#whole !== state.whole) this.#sum(state);
    return this.#guaranteed[dimension] ?? 0;
  }

  #sum({ tiers, whole, numbered }: Shared): void {
    const count = numbered.names.length;
    [this.#claimed, this.#guaranteed] = [new Array(count).fill(0), new Array(count).fill(0)];
    for (const tier of tiers)
      for (let dimension = 0; dimension < count; dimension++) {
        this.#claimed[dimension]! += claimOf(tier, dimension);
        this.#guaranteed[dimension]! += tier.limits.guaranteed[dimension] ?? 0;
      }
    this.#whole = whole;
    this.#changes = numbered.changes;
  }
}
