/** What a fault run counts, by name. Parts of a run are added up. */
export type Counts = Readonly<Record<string, number>>;

/** One process's share of a fault run: the cases whose number leaves `part` when divided by `parts`. */
export interface Share {
  /** How many cases the whole run has; 0 = all there are. */
  readonly count: number;
  readonly seed: number;
  readonly part: number;
  readonly parts: number;
}

/** Throws at the first violation, naming the case. */
export type FaultRun = (share: Share) => Promise<Counts>;

export function addUp(all: readonly Counts[]): Counts {
  const sum: Record<string, number> = {};
  for (const counts of all) for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Counts as they come up. */
export class Tally {
  readonly counts: Record<string, number> = {};

  add(name: string, count = 1): void {
    this.counts[name] = (this.counts[name] ?? 0) + count;
  }
}

export const mine = (index: number, { part, parts }: Share): boolean => index % parts === part;
