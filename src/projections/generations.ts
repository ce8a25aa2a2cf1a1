/**
 * A map that forgets. It keeps at least the last `size` entries touched and at most twice as many, in two maps: when the
 * young one is full it becomes the old one, and what was the old one is dropped whole, but for what is to be kept.
 * Forgetting costs no bookkeeping per entry (evicting from one map in insertion order leaves tombstones behind, which every
 * further eviction walks over).
 */
export class Generations<Value> {
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();
  readonly #size: number;
  /** The young map turns when it holds more. Never below twice what was kept, so that turning stays O(1) an entry. */
  #limit: number;

  constructor(size: number) {
    this.#size = size;
    this.#limit = size;
  }

  get(key: string): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** The map is full: `turn` is due. */
  get full(): boolean {
    return this.#young.size >= this.#limit;
  }

  set(key: string, value: Value): void {
    this.#young.set(key, value);
  }

  /** Drops the old half, but for the entries that are to be kept. */
  turn(isKept: (key: string) => boolean): void {
    const dropped = this.#old;
    this.#old = this.#young;
    this.#young = new Map();
    for (const [key, value] of dropped) if (!this.#old.has(key) && isKept(key)) this.#young.set(key, value);
    this.#limit = Math.max(this.#size, 2 * this.#young.size);
  }

  clear(): void {
    this.load([[], [], this.#size]);
  }

  /** Both halves, the old one first, and where the young one ends. */
  save(): SavedGenerations<Value> {
    return [[...this.#old], [...this.#young], this.#limit];
  }

  load([old, young, limit]: SavedGenerations<Value>): void {
    this.#old = new Map(old);
    this.#young = new Map(young);
    this.#limit = limit;
  }
}

type Entries<Value> = readonly (readonly [string, Value])[];
export type SavedGenerations<Value> = readonly [old: Entries<Value>, young: Entries<Value>, limit: number];
