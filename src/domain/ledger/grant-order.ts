import { lowerBound } from '../lower-bound.ts';
import type { LeaseRecord } from './lease-record.ts';

/** Leases of one run at most; one that is full is cut in two. */
const FULL = 512;
/** Neighbours that hold no more than this together become one. */
const SPARSE = 128;

/**
 * Live leases in the order of their grants, which is that of their tokens. They lie in runs of some hundred, so that no step moves more
 * than one run, however many there are. Leases may come and go while somebody walks over them.
 */
export class GrantOrder {
  /** None is empty. */
  readonly #runs: LeaseRecord[][] = [];
  /** Counts the steps that move places: a walk finds its place anew after one. */
  #moves = 0;

  add(lease: LeaseRecord): void {
    const last = this.#runs.at(-1);
    if (last === undefined) this.#runs.push([lease]);
    else if (last.at(-1)!.token >= lease.token) this.#insert(lease);
    else if (last.length < FULL) last.push(lease);
    else this.#runs.push([lease]);
  }

  delete({ token }: LeaseRecord): void {
    const at = this.#runAt(token);
    const run = this.#runs[at];
    if (run === undefined) return;
    const place = placeAfter(run, token - 1);
    if (run[place]?.token !== token) return;
    if (place === run.length - 1) run.pop();
    else {
      run.splice(place, 1);
      this.#moves += 1;
    }
    if (run.length <= SPARSE) this.#join(at, run);
  }

  /** In the place of the one with its token. */
  replace(lease: LeaseRecord): void {
    const run = this.#runs[this.#runAt(lease.token)]!;
    run[placeAfter(run, lease.token - 1)] = lease;
  }

  /** Those with a higher token. */
  *after(token: number): Generator<LeaseRecord> {
    let moves = this.#moves;
    let last = token;
    let [at, place] = this.#placeBehind(token);
    for (;;) {
      if (place >= (this.#runs[at]?.length ?? 0)) [at, place] = [at + 1, 0];
      const lease = this.#runs[at]?.[place];
      if (lease === undefined) return;
      last = lease.token;
      yield lease;
      if (moves === this.#moves) place += 1;
      else if (!this.#isBehind(last, at, place)) [at, place] = this.#placeBehind(last);
      moves = this.#moves;
    }
  }

  /** How many have a higher token. */
  countAfter(token: number): number {
    let count = 0;
    for (let at = this.#runs.length - 1; at >= 0; at--) {
      const run = this.#runs[at]!;
      if (run[0]!.token <= token) return count + run.length - placeAfter(run, token);
      count += run.length;
    }
    return count;
  }

  list(): LeaseRecord[] {
    return this.#runs.flat();
  }

  /** A token comes again where its grant was undone, and a lease where its end was. */
  #insert(lease: LeaseRecord): void {
    const at = this.#runAt(lease.token);
    const run = this.#runs[at]!;
    const place = placeAfter(run, lease.token - 1);
    this.#moves += 1;
    if (run[place]?.token === lease.token) run[place] = lease;
    else run.splice(place, 0, lease);
    if (run.length > FULL) this.#runs.splice(at + 1, 0, run.splice(FULL / 2));
  }

  #join(at: number, run: LeaseRecord[]): void {
    const before = this.#runs[at - 1];
    const joins = before !== undefined && before.length + run.length <= SPARSE;
    if (run.length > 0 && !joins) return;
    if (joins) before.push(...run);
    this.#runs.splice(at, 1);
    this.#moves += 1;
  }

  #placeBehind(token: number): [at: number, place: number] {
    const at = this.#runAt(token);
    return [at, placeAfter(this.#runs[at] ?? [], token)];
  }

  /** As after the step that is taken most often on a walk: the lease itself has ended, and the next has moved up. */
  #isBehind(token: number, at: number, place: number): boolean {
    const run = this.#runs[at];
    if (run === undefined || place >= run.length || run[place]!.token <= token) return false;
    const before = place === 0 ? this.#runs[at - 1]?.at(-1) : run[place - 1];
    return before === undefined || before.token <= token;
  }

  /** The last run that begins at or before the token, or the first. */
  #runAt(token: number): number {
    return Math.max(0, lowerBound(this.#runs.length, (at) => this.#runs[at]![0]!.token <= token) - 1);
  }
}

/** The place of the first whose token is above this one. */
function placeAfter(run: readonly LeaseRecord[], token: number): number {
  if (run.length > 0 && run[0]!.token > token) return 0; // the oldest go first, as a rule
  return lowerBound(run.length, (place) => run[place]!.token <= token);
}
