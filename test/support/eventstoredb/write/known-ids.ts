/** Where an event id was written first. */
export interface KnownId {
  readonly stream: string;
  readonly revision: number;
}

/** As in EventStoreDB (IndexWriter): 8 MiB, of which an entry takes 28 bytes and two for each letter of its stream. */
const LIMIT_BYTES = 8 * 1024 * 1024;
const bytesOf = (known: KnownId): number => 28 + 2 * known.stream.length;

/**
 * The event ids written lately, each with the place it was written first. Held in memory only: after a restart the
 * real server does not know them either, and an append with "any" writes them again.
 */
export class KnownIds {
  readonly #known = new Map<string, KnownId>();
  /** The ids from the oldest on; those before #oldest are forgotten. A Map's own order is slow to take the first from. */
  #order: string[] = [];
  #oldest = 0;
  #bytes = 0;

  get(id: string): KnownId | undefined {
    return this.#known.get(id);
  }

  remember(id: string, { stream, revision }: KnownId): void {
    if (this.#known.has(id)) return;
    while (this.#bytes > LIMIT_BYTES) this.#forgetOldest();
    const known = { stream, revision };
    this.#known.set(id, known);
    this.#order.push(id);
    this.#bytes += bytesOf(known);
  }

  #forgetOldest(): void {
    const id = this.#order[this.#oldest++]!;
    this.#bytes -= bytesOf(this.#known.get(id)!);
    this.#known.delete(id);
    if (this.#oldest < this.#known.size) return;
    this.#order = this.#order.slice(this.#oldest);
    this.#oldest = 0;
  }
}
