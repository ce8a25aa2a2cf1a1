/** About a batch of 256 allocates. */
const KEPT_ENTRIES = 32_768;

/** Something whose steps a journal can take back, the last one first, and take again. */
export abstract class Undoable {
  abstract undo(step: unknown, of: unknown): void;
  abstract redo(step: unknown, of: unknown): void;
}

type Target = Record<string, unknown> | Map<unknown, unknown> | Undoable;

/**
 * Old values of everything that a fold overwrote, so that a batch that was not committed is undone in O(touched).
 * A flat list of (target, key, old value), undone from the end. Nothing in the state may depend on the order of a Map.
 */
export class Journal {
  readonly #entries: unknown[] = [];
  /** How many of the entries count. The array keeps its length: growing it anew with every batch costs more than the fold. */
  #length = 0;
  #isBack = false;

  /** How often anything was undone. */
  undos = 0;

  mark(): number {
    return this.#length;
  }

  note(target: object, key: unknown, old: unknown): void {
    const entries = this.#entries;
    const at = this.#length;
    entries[at] = target;
    entries[at + 1] = key;
    entries[at + 2] = old;
    this.#length = at + 3;
  }

  undoTo(mark: number): void {
    this.goForth();
    const entries = this.#entries;
    for (let at = this.#length - 3; at >= mark; at -= 3)
      restore(entries[at] as Target, entries[at + 1], entries[at + 2]);
    if (this.#length <= mark) return;
    this.undos += 1;
    this.#entries.fill(undefined, mark, this.#length);
    this.#length = mark;
  }

  /** To the state as it was at the beginning, for a look at it; nothing is to be noted until `goForth`. In O(touched). */
  goBack(): void {
    if (this.#isBack) return;
    const entries = this.#entries;
    for (let at = this.#length - 3; at >= 0; at -= 3)
      entries[at + 2] = takeBack(entries[at] as Target, entries[at + 1], entries[at + 2]);
    this.#isBack = true;
  }

  /** To the state as it has become. */
  goForth(): void {
    if (!this.#isBack) return;
    const entries = this.#entries;
    for (let at = 0; at < this.#length; at += 3)
      entries[at + 2] = takeAgain(entries[at] as Target, entries[at + 1], entries[at + 2]);
    this.#isBack = false;
  }

  /** What the entries hold is let go (an old list of waiters is as long as the queue); the room for them is kept, unless there were many. */
  clear(): void {
    this.goForth();
    if (this.#length > KEPT_ENTRIES) this.#entries.length = 0;
    else this.#entries.fill(undefined, 0, this.#length);
    this.#length = 0;
  }
}

function restore(target: Target, key: unknown, old: unknown): void {
  if (target instanceof Map) {
    if (old === undefined) target.delete(key);
    else target.set(key, old);
  } else if (target instanceof Undoable) target.undo(key, old);
  else target[key as string] = old;
}

/** Restores, and answers what must be put there to take it again. */
function takeBack(target: Target, key: unknown, old: unknown): unknown {
  const now = target instanceof Undoable ? old : valueAt(target, key);
  restore(target, key, old);
  return now;
}

function takeAgain(target: Target, key: unknown, value: unknown): unknown {
  if (!(target instanceof Undoable)) return takeBack(target, key, value);
  target.redo(key, value);
  return value;
}

const valueAt = (target: Record<string, unknown> | Map<unknown, unknown>, key: unknown): unknown =>
  target instanceof Map ? target.get(key) : target[key as string];

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

/** Sets an entry, noting what it was. No map of the state holds `undefined`. */
export function putEntry<K, V>(journal: Journal | undefined, map: Map<K, V>, key: K, value: V): void {
  if (journal !== undefined) journal.note(map, key, map.get(key));
  map.set(key, value);
}

/** Sets an entry that is known to be new, which saves the look-up of what it was. */
export function addEntry<K, V>(journal: Journal | undefined, map: Map<K, V>, key: K, value: V): void {
  if (journal !== undefined) journal.note(map, key, undefined);
  map.set(key, value);
}

/** Takes an entry out. `old`: what it is known to hold; without it that is looked up. */
export function dropEntry<K, V>(journal: Journal | undefined, map: Map<K, V>, key: K, old?: V): void {
  if (journal !== undefined) journal.note(map, key, old ?? map.get(key));
  map.delete(key);
}
