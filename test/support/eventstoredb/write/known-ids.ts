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
  #bytes = 0;

  get(id: string): KnownId | undefined {
    return this.#known.get(id);
  }

  remember(id: string, known: KnownId): void {
    if (this.#known.has(id)) return;
    this.#forgetOldest();
    this.#known.set(id, known);
    this.#bytes += bytesOf(known);
  }

  #forgetOldest(): void {
    const oldest = this.#known.entries();
    while (this.#bytes > LIMIT_BYTES) {
      const [id, known] = oldest.next().value!;
      this.#known.delete(id);
      this.#bytes -= bytesOf(known);
    }
  }
}
