/** Entries of a block at most; a fuller one is split. */
const FULL = 512;

interface Block {
  readonly tokens: number[];
  readonly numbers: number[];
}

/**
 * Numbers in the order of the tokens that they stand for, each token once. Tokens come nearly in order, so that most are put at the
 * end; to add one, or to find where those after one begin, takes O(log n) steps and moves some hundred entries at most.
 */
export class TokenOrder {
  #blocks: Block[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(token: number, number: number): void {
    this.#size += 1;
    const last = this.#blocks.at(-1);
    if (last === undefined || (last.tokens.length === FULL && token > last.tokens.at(-1)!)) {
      this.#blocks.push({ tokens: [token], numbers: [number] });
      return;
    }
    const at = this.#blockOf(token);
    const { tokens, numbers } = this.#blocks[at]!;
    const place = placeAfter(tokens, token);
    tokens.splice(place, 0, token);
    numbers.splice(place, 0, number);
    if (tokens.length <= FULL) return;
    const half = FULL / 2;
    this.#blocks.splice(at + 1, 0, { tokens: tokens.splice(half), numbers: numbers.splice(half) });
  }

  /** The numbers of those whose token is above `token`. */
  *after(token: number): Generator<number> {
    for (let at = this.#blockOf(token), first = true; at < this.#blocks.length; at += 1, first = false) {
      const { tokens, numbers } = this.#blocks[at]!;
      for (let place = first ? placeAfter(tokens, token) : 0; place < numbers.length; place += 1) yield numbers[place]!;
    }
  }

  /** Lets go of the numbers below `first`. */
  forgetBelow(first: number): void {
    const kept = this.#blocks.map(({ tokens, numbers }) => ({
      tokens: tokens.filter((_, place) => numbers[place]! >= first),
      numbers: numbers.filter((number) => number >= first),
    }));
    this.#blocks = kept.filter(({ tokens }) => tokens.length > 0);
    this.#size = this.#blocks.reduce((size, { tokens }) => size + tokens.length, 0);
  }

  /** The last block that begins at the token or before it; the first if none does. */
  #blockOf(token: number): number {
    let low = 1;
    let high = this.#blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#blocks[middle]!.tokens[0]! <= token) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function placeAfter(tokens: readonly number[], token: number): number {
  let low = 0;
  let high = tokens.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (tokens[middle]! <= token) low = middle + 1;
    else high = middle;
  }
  return low;
}
