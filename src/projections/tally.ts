/** Counts by name. A map inside, so that no name (`__proto__`) is more than a name. */
export class Tally {
  #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  get total(): number {
    let total = 0;
    for (const count of this.#counts.values()) total += count;
    return total;
  }

  view(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts);
  }

  reset(): void {
    this.#counts.clear();
  }

  save(): Readonly<Record<string, number>> {
    return this.view();
  }

  load(saved: Readonly<Record<string, number>>): void {
    this.#counts = new Map(Object.entries(saved));
  }
}
