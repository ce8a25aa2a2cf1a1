/** Stands in the journal for "there was nothing under this key". */
const ABSENT = Symbol('absent');

type Target = Record<string, unknown> | Map<unknown, unknown>;

/**
 * Old values of everything that a fold overwrote, so that a batch that was not committed is undone in O(touched).
 * A flat list of (target, key, old value), undone from the end. Nothing in the state may depend on the order of a Map.
 */
export class Journal {
  #entries: unknown[] = [];

  mark(): number {
    return this.#entries.length;
  }

  note(target: object, key: string, old: unknown): void {
    this.#entries.push(target, key, old);
  }

  noteEntry(map: Map<unknown, unknown>, key: unknown): void {
    this.#entries.push(map, key, map.has(key) ? map.get(key) : ABSENT);
  }

  undoTo(mark: number): void {
    const entries = this.#entries;
    while (entries.length > mark) {
      const old = entries.pop();
      const key = entries.pop();
      restore(entries.pop() as Target, key, old);
    }
  }

  clear(): void {
    this.#entries.length = 0;
  }
}

function restore(target: Target, key: unknown, old: unknown): void {
  if (!(target instanceof Map)) target[key as string] = old;
  else if (old === ABSENT) target.delete(key);
  else target.set(key, old);
}

/** Sets a field, noting what it was. */
export function put<T extends object, K extends keyof T & string>(
  journal: Journal | undefined,
  target: T,
  key: K,
  value: T[K],
): void {
  if (journal !== undefined) journal.note(target, key, target[key]);
  target[key] = value;
}

export function putEntry<K, V>(journal: Journal | undefined, map: Map<K, V>, key: K, value: V): void {
  if (journal !== undefined) journal.noteEntry(map as Map<unknown, unknown>, key);
  map.set(key, value);
}

export function dropEntry<K, V>(journal: Journal | undefined, map: Map<K, V>, key: K): void {
  if (journal !== undefined) journal.noteEntry(map as Map<unknown, unknown>, key);
  map.delete(key);
}
