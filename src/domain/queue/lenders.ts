import { amountIn } from '../../model/values/amounts.ts';
import { isInsideNominal, roomIn } from '../placement.ts';
import type { PoolState, TierState } from '../state.ts';
import { beforeIn, frontOf, LOOKED_AT } from './front.ts';
import { admits, type Waiter } from './queue.ts';
import type { Ranked } from './waiting-list.ts';

/** What the lenders leave of one dimension: the least over all tiers, and the least over the others than that tier. */
interface Left {
  readonly least: number;
  readonly tier: TierState | undefined;
  readonly leastElsewhere: number;
}

/**
 * Who waits beside a request for what lies inside the nominal of his tier: a borrower in another tier never takes that. Looked for
 * once for a request, whichever tiers it is tried in; the state is not to change meanwhile.
 */
export class Lenders {
  readonly #state: PoolState;
  readonly #self: Ranked;
  #waiters: readonly Waiter[] | undefined;
  readonly #left = new Map<string, Left>();

  constructor(state: PoolState, self: Ranked) {
    this.#state = state;
    this.#self = self;
  }

  /** Whether anyone does, in another tier. */
  lendTo(borrower: TierState): boolean {
    return this.#all().some(({ tier }) => tier !== borrower);
  }

  /** What a borrower can take of one dimension without making any of them start later. */
  spare(borrower: TierState, dimension: string): number {
    let left = this.#left.get(dimension);
    if (left === undefined) {
      left = this.#leftOf(dimension);
      this.#left.set(dimension, left);
    }
    return Math.max(0, left.tier === borrower ? left.leastElsewhere : left.least);
  }

  #leftOf(dimension: string): Left {
    let [least, leastElsewhere] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    let narrowest: TierState | undefined;
    for (const waiter of this.#all()) {
      const wanted = amountIn(waiter.least, dimension);
      if (wanted === 0) continue;
      const left = roomIn(this.#state, waiter.tier, dimension) - wanted;
      if (waiter.tier === narrowest) least = Math.min(least, left);
      else if (left < least) [least, leastElsewhere, narrowest] = [left, least, waiter.tier];
      else leastElsewhere = Math.min(leastElsewhere, left);
    }
    return { least, tier: narrowest, leastElsewhere };
  }

  #all(): readonly Waiter[] {
    this.#waiters ??= this.#state.tiers.flatMap((tier) => this.#of(tier));
    return this.#waiters;
  }

  /** Of each that want the same one; where the request itself is among those that are looked at, one more takes its place. */
  #of(tier: TierState): Waiter[] {
    if (tier.waiting.length === 0 || !admits(tier)) return [];
    const self = this.#self;
    const front = frontOf(this.#state, tier);
    const place = front.waiters.length > LOOKED_AT ? beforeIn(front, tier, self) : 0;
    const depth = front.waiters[place]?.leaseId === self.leaseId ? LOOKED_AT + 1 : LOOKED_AT;
    const waiters: Waiter[] = [];
    for (const { before, demand, least, first, count } of front.alike) {
      if (before >= depth) break;
      const isOther = count > 1 || first.leaseId !== self.leaseId;
      if (isOther && isInsideNominal(tier, demand)) waiters.push({ tier, least });
    }
    return waiters;
  }
}
