import type { Pages } from './pages.ts';

/** A row of a table: its key and its columns; the key's own column is null. */
export type TableRow = readonly [key: number, values: readonly Value[]];
export type Value = string | number | null | undefined;

/** Pages of a table: those that lead to others, and those that hold rows (https://www.sqlite.org/fileformat2.html#b_tree_pages). */
const INTERIOR = 0x05;
const LEAF = 0x0d;
/** No table of ours is deeper; a page that leads in a circle is. */
const MAX_DEPTH = 20;

/** A page of a table with what its head says. */
interface Node {
  readonly number: number;
  readonly page: Buffer;
  /** Where the head begins: behind the file's own head on the first page. */
  readonly at: number;
  readonly isLeaf: boolean;
  readonly cells: number;
}

/** A table of rows with ascending keys, read from its pages. Throws DamagedLogError on what no table can be. */
export class Table {
  readonly #pages: Pages;
  readonly #root: number;

  constructor(pages: Pages, root: number) {
    this.#pages = pages;
    this.#root = root;
  }

  /** The rows with the keys from `first` to `last`, both included, ascending. */
  *rows(first = Number.NEGATIVE_INFINITY, last = Number.POSITIVE_INFINITY): Generator<TableRow> {
    yield* this.#below(this.#root, first, last, 0);
  }

  /** The greatest key; 0 if there is none. */
  lastKey(): number {
    let number = this.#root;
    for (let depth = 0; depth < MAX_DEPTH; depth++) {
      const node = nodeOf(this.#pages, number);
      if (node.isLeaf) return node.cells === 0 ? 0 : keyOf(this.#pages, node, node.cells - 1);
      number = node.page.readUInt32BE(node.at + 8);
    }
    throw this.#pages.damaged(number, 'its table is too deep');
  }

  /**
   * Looks at every page, and tells `visit` of each, also of those that a long row goes on in. Throws if one is reached twice, or keys
   * do not ascend, or do not lie where the pages above say.
   */
  walk(visit: (page: number) => void): void {
    this.#walk(this.#root, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 0, visit);
  }

  *#below(number: number, first: number, last: number, depth: number): Generator<TableRow> {
    if (depth > MAX_DEPTH) throw this.#pages.damaged(number, 'its table is too deep');
    const node = nodeOf(this.#pages, number);
    const from = firstAtLeast(node, this.#pages, first);
    if (!node.isLeaf) this.#pages.keep(number, node.page);
    for (let i = from; i < node.cells; i++) {
      const key = keyOf(this.#pages, node, i);
      if (node.isLeaf) {
        if (key > last) return;
        yield [key, decode(this.#pages, node, i)];
      } else {
        yield* this.#below(childOf(this.#pages, node, i), first, last, depth + 1);
        if (key >= last) return;
      }
    }
    if (!node.isLeaf) yield* this.#below(node.page.readUInt32BE(node.at + 8), first, last, depth + 1);
  }

  #walk(number: number, above: number, upTo: number, depth: number, visit: (page: number) => void): void {
    if (depth > MAX_DEPTH) throw this.#pages.damaged(number, 'its table is too deep');
    visit(number);
    const node = nodeOf(this.#pages, number);
    let before = above;
    for (let i = 0; i < node.cells; i++) {
      const key = keyOf(this.#pages, node, i);
      if (key <= before || key > upTo) throw this.#pages.damaged(number, `key ${key} does not lie after ${before}`);
      if (node.isLeaf) for (const page of overflowOf(this.#pages, node, i)) visit(page);
      else this.#walk(childOf(this.#pages, node, i), before, key, depth + 1, visit);
      before = key;
    }
    if (!node.isLeaf) this.#walk(node.page.readUInt32BE(node.at + 8), before, upTo, depth + 1, visit);
  }
}

/** The rows of one image of a page, as far as it is one of rows; for what is not reached from a table's root any more. */
export function* rowsOfImage(pages: Pages, page: Buffer): Generator<TableRow> {
  if (page[0] !== LEAF) return;
  const node = { number: 0, page, at: 0, isLeaf: true, cells: page.readUInt16BE(3) };
  if (8 + 2 * node.cells > page.length) return;
  for (let i = 0; i < node.cells; i++) {
    try {
      yield [keyOf(pages, node, i), decode(pages, node, i)];
    } catch {
      // a row that cannot be read is none; its neighbours may be whole
    }
  }
}

function nodeOf(pages: Pages, number: number): Node {
  const page = pages.page(number);
  const at = number === 1 ? 100 : 0;
  const type = page[at];
  if (type !== LEAF && type !== INTERIOR) throw pages.damaged(number, 'it is no page of a table');
  const node = { number, page, at, isLeaf: type === LEAF, cells: page.readUInt16BE(at + 3) };
  if (at + headBytes(node) + 2 * node.cells > page.length) throw pages.damaged(number, `it says ${node.cells} rows`);
  return node;
}

const headBytes = ({ isLeaf }: Node): number => (isLeaf ? 8 : 12);

/** Where the cell begins. */
function cellAt(pages: Pages, node: Node, i: number): number {
  const at = node.page.readUInt16BE(node.at + headBytes(node) + 2 * i);
  if (at < node.at + headBytes(node) + 2 * node.cells || at + 4 > node.page.length)
    throw pages.damaged(node.number, `row ${i} is said to lie at byte ${at}`);
  return at;
}

const childOf = (pages: Pages, node: Node, i: number): number => node.page.readUInt32BE(cellAt(pages, node, i));

function keyOf(pages: Pages, node: Node, i: number): number {
  const at = cellAt(pages, node, i);
  const from = node.isLeaf ? varint(node.page, at)[1] : at + 4;
  return varint(node.page, from)[0];
}

/** The first cell whose key is at least `first`: in it, or for a page that leads to others below it, `first` lies. */
function firstAtLeast(node: Node, pages: Pages, first: number): number {
  let [low, high] = [0, node.cells];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyOf(pages, node, middle) < first) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A whole number of up to nine bytes, and where it ends. One that is no safe integer is none of ours, and reads as NaN. */
function varint(page: Buffer, from: number): [value: number, end: number] {
  let value = 0;
  for (let at = from; at < from + 8; at++) {
    const byte = page[at] ?? 0;
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return [Number.isSafeInteger(value) ? value : Number.NaN, at + 1];
  }
  return [Number.NaN, from + 9];
}

interface Payload {
  readonly bytes: number;
  /** Of its first part, which lies in the page itself. */
  readonly at: number;
  readonly local: number;
}

function payloadOf(pages: Pages, node: Node, i: number): Payload {
  const [bytes, next] = varint(node.page, cellAt(pages, node, i));
  const at = varint(node.page, next)[1];
  const local = localBytes(bytes, pages.pageBytes);
  if (Number.isNaN(bytes) || at + local > node.page.length)
    throw pages.damaged(node.number, `row ${i} does not fit into it`);
  return { bytes, at, local };
}

/** How much of a row lies in its page: all of it, or as much as lets the rest fill whole pages. */
function localBytes(bytes: number, usable: number): number {
  if (bytes <= usable - 35) return bytes;
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const wanted = least + ((bytes - least) % (usable - 4));
  return wanted <= usable - 35 ? wanted : least;
}

/** The pages that the row goes on in. */
function* overflowOf(pages: Pages, node: Node, i: number): Generator<number> {
  const { bytes, at, local } = payloadOf(pages, node, i);
  let left = bytes - local;
  for (let next = left > 0 ? node.page.readUInt32BE(at + local) : 0; left > 0; left -= pages.pageBytes - 4) {
    yield next;
    next = pages.page(next).readUInt32BE(0);
  }
}

function decode(pages: Pages, node: Node, i: number): Value[] {
  const { bytes, at, local } = payloadOf(pages, node, i);
  const parts = [node.page.subarray(at, at + local)];
  if (bytes > local) {
    let left = bytes - local;
    for (const number of overflowOf(pages, node, i)) {
      parts.push(pages.page(number).subarray(4, 4 + Math.min(left, pages.pageBytes - 4)));
      left -= pages.pageBytes - 4;
    }
  }
  const values = valuesOf(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
  if (values === undefined) throw pages.damaged(node.number, `row ${i} is not as long as it says`);
  return values;
}

/** The columns of a record, if they fill it; undefined for what we store in none (blobs, fractions, integers that are not safe). */
export function valuesOf(record: Buffer): Value[] | undefined {
  const [end, first] = varint(record, 0);
  const values: Value[] = [];
  let at = end;
  for (let next = first; next < end; ) {
    const [type, after] = varint(record, next);
    const bytes = bytesOf(type);
    values.push(at + bytes <= record.length ? columnOf(record, type, at, bytes) : undefined);
    at += bytes;
    next = after;
  }
  return at === record.length ? values : undefined;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];
const bytesOf = (type: number): number => (type >= 12 ? Math.floor((type - 12) / 2) : (INTEGER_BYTES[type] ?? 0));

function columnOf(record: Buffer, type: number, at: number, bytes: number): Value {
  if (type >= 13 && type % 2 === 1) return record.toString('utf8', at, at + bytes);
  if (type === 0) return null;
  if (type === 8 || type === 9) return type - 8;
  if (type >= 1 && type <= 5) return record.readIntBE(at, bytes);
  if (type !== 6) return undefined;
  const value = Number(record.readBigInt64BE(at));
  return Number.isSafeInteger(value) ? value : undefined;
}
