import type { Demand } from '../dimensions.ts';

/** Items of a leaf, and children of a node above the leaves, at most; a node of a quarter of it is joined with a neighbour. */
const FULL = 64;

/** A leaf has items, any other node has nodes. `sums`: by the numbers of dimensions, of all that lies below it. */
interface Node<T> {
  items: T[];
  nodes: Node<T>[];
  size: number;
  readonly sums: number[];
}

export interface OrderOptions<T> {
  /** Below 0 = a comes first; 0 for the same item alone. What it reads of an item stands still while the item is in. */
  readonly compare: (a: T, b: T) => number;
  /** What is summed of an item; stands still, too. */
  readonly demandOf: (item: T) => Demand;
}

/**
 * Items in an order, with what they come to in each dimension: a B+ tree whose nodes hold their size and sums. Coming, going, a
 * place, and how many of the first suffice cost O(log n). It is derived from the state, and equal items give equal answers however
 * they came: only the shape of the nodes tells, which nobody sees.
 */
export class SummedOrder<T> {
  readonly #options: OrderOptions<T>;
  #root: Node<T> = emptyLeaf();

  constructor(options: OrderOptions<T>) {
    this.#options = options;
  }

  /** Of items that are in order already, in O(n). */
  static of<T>(options: OrderOptions<T>, inOrder: readonly T[]): SummedOrder<T> {
    const order = new SummedOrder(options);
    let level = chunksOf(inOrder).map((items) => order.#leafOf(items));
    while (level.length > 1) level = chunksOf(level).map(nodeOf);
    if (level.length === 1) order.#root = level[0]!;
    return order;
  }

  get size(): number {
    return this.#root.size;
  }

  get first(): T | undefined {
    return this.size === 0 ? undefined : firstOf(this.#root);
  }

  insert(item: T): void {
    const split = this.#insertInto(this.#root, item);
    if (split !== undefined) this.#root = nodeOf([this.#root, split]);
  }

  /** False if it is not in. */
  delete(item: T): boolean {
    if (!this.#deleteFrom(this.#root, item)) return false;
    while (this.#root.nodes.length === 1) this.#root = this.#root.nodes[0]!;
    if (this.#root.size === 0) this.#root = emptyLeaf();
    return true;
  }

  has(item: T): boolean {
    let node = this.#root;
    while (node.nodes.length > 0) node = node.nodes[this.#childFor(node, item)]!;
    const there = node.items[this.#placeIn(node, item)];
    return there !== undefined && this.#options.compare(there, item) === 0;
  }

  /** How many come before the item, which need not be in. */
  placeOf(item: T): number {
    let place = 0;
    let node = this.#root;
    while (node.nodes.length > 0) {
      const child = this.#childFor(node, item);
      for (let i = 0; i < child; i++) place += node.nodes[i]!.size;
      node = node.nodes[child]!;
    }
    return place + this.#placeIn(node, item);
  }

  /** The item before which there are `place` others. */
  at(place: number): T | undefined {
    if (place < 0 || place >= this.size) return undefined;
    let node = this.#root;
    let left = place;
    while (node.nodes.length > 0) {
      let child = 0;
      while (left >= node.nodes[child]!.size) left -= node.nodes[child++]!.size;
      node = node.nodes[child]!;
    }
    return node.items[left];
  }

  /** What the first `count` come to, by dimension. */
  sumsOf(count: number): number[] {
    const sums: number[] = [];
    let node = this.#root;
    let left = count;
    while (node.nodes.length > 0 && left < node.size) {
      let child = 0;
      for (; left >= node.nodes[child]!.size; child++) {
        addSums(sums, node.nodes[child]!.sums, 1);
        left -= node.nodes[child]!.size;
      }
      node = node.nodes[child]!;
    }
    if (left >= node.size) addSums(sums, node.sums, 1);
    else for (let i = 0; i < left; i++) addDemand(sums, this.#options.demandOf(node.items[i]!), 1);
    return sums;
  }

  /**
   * The last of the fewest first items that are enough together; undefined if all are not. `enough` is asked of their number and
   * sums, says no of none, and never says no of more than it said yes of.
   */
  lastNeeded(enough: (count: number, sums: readonly number[]) => boolean): T | undefined {
    if (!enough(this.size, this.#root.sums)) return undefined;
    const before = { count: 0, sums: [] as number[] };
    let node = this.#root;
    while (node.nodes.length > 0) node = node.nodes.find((child) => isEnough(before, child.size, child.sums, enough))!;
    return node.items.find((item) => isEnough(before, 1, this.#options.demandOf(item), enough));
  }

  /** In order, until `visit` says true; whether it did. */
  some(visit: (item: T) => boolean): boolean {
    return someOf(this.#root, visit);
  }

  *[Symbol.iterator](): Generator<T> {
    yield* this.from(0);
  }

  /** In order, from the item before which there are `place` others. */
  *from(place: number): Generator<T> {
    yield* itemsFrom(this.#root, place);
  }

  copy(): SummedOrder<T> {
    const copied = new SummedOrder(this.#options);
    copied.#root = copyOf(this.#root);
    return copied;
  }

  #leafOf(items: T[]): Node<T> {
    const leaf: Node<T> = { items, nodes: [], size: items.length, sums: [] };
    for (const item of items) addDemand(leaf.sums, this.#options.demandOf(item), 1);
    return leaf;
  }

  /** The node that splits off to the right, if it became too full. */
  #insertInto(node: Node<T>, item: T): Node<T> | undefined {
    addDemand(node.sums, this.#options.demandOf(item), 1);
    node.size += 1;
    if (node.nodes.length === 0) {
      const place = this.#placeIn(node, item);
      node.items.splice(place, 0, item);
      return node.items.length > FULL ? this.#splitLeaf(node, place) : undefined;
    }
    const child = this.#childFor(node, item);
    const split = this.#insertInto(node.nodes[child]!, item);
    if (split === undefined) return undefined;
    node.nodes.splice(child + 1, 0, split);
    return node.nodes.length > FULL ? splitNode(node, child + 1) : undefined;
  }

  #splitLeaf(node: Node<T>, place: number): Node<T> {
    const cut = cutAt(node.items.length, place);
    const right = this.#leafOf(node.items.slice(cut));
    node.items = node.items.slice(0, cut); // as long as it is: a list that grew keeps room to spare
    leave(node, right);
    return right;
  }

  #deleteFrom(node: Node<T>, item: T): boolean {
    const child = node.nodes.length === 0 ? this.#placeIn(node, item) : this.#childFor(node, item);
    if (node.nodes.length === 0) {
      const there = node.items[child];
      if (there === undefined || this.#options.compare(there, item) !== 0) return false;
      node.items.splice(child, 1);
    } else {
      if (!this.#deleteFrom(node.nodes[child]!, item)) return false;
      tidy(node, child);
    }
    node.size -= 1;
    addDemand(node.sums, this.#options.demandOf(item), -1);
    return true;
  }

  /** The last child that begins before the item or with it; the first if none does. */
  #childFor({ nodes }: Node<T>, item: T): number {
    let low = 1;
    let high = nodes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#options.compare(firstOf(nodes[middle]!), item) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #placeIn({ items }: Node<T>, item: T): number {
    let low = 0;
    let high = items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#options.compare(items[middle]!, item) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const emptyLeaf = <T>(): Node<T> => ({ items: [], nodes: [], size: 0, sums: [] });

function nodeOf<T>(nodes: Node<T>[]): Node<T> {
  const node: Node<T> = { items: [], nodes, size: 0, sums: [] };
  for (const child of nodes) {
    node.size += child.size;
    addSums(node.sums, child.sums, 1);
  }
  return node;
}

function chunksOf<Item>(all: readonly Item[]): Item[][] {
  const chunks: Item[][] = [];
  for (let i = 0; i < all.length; i += FULL) chunks.push(all.slice(i, i + FULL));
  return chunks;
}

function firstOf<T>(node: Node<T>): T {
  let first = node;
  while (first.nodes.length > 0) first = first.nodes[0]!;
  return first.items[0]!;
}

/** What comes at the end mostly goes on coming there: the left one stays full then. */
const cutAt = (length: number, place: number): number => (place === length - 1 ? length - 1 : length >>> 1);

function splitNode<T>(node: Node<T>, place: number): Node<T> {
  const right = nodeOf(node.nodes.splice(cutAt(node.nodes.length, place)));
  leave(node, right);
  return right;
}

function leave<T>(node: Node<T>, right: Node<T>): void {
  node.size -= right.size;
  addSums(node.sums, right.sums, -1);
}

/** After something left a child: an empty one goes, a small one joins its neighbour if they are half a node together. */
function tidy<T>({ nodes }: Node<T>, child: number): void {
  if (nodes[child]!.size === 0) nodes.splice(child, 1);
  else if (lengthOf(nodes[child]!) <= FULL / 4 && nodes.length > 1) {
    const left = child === 0 ? 0 : child - 1;
    if (lengthOf(nodes[left]!) + lengthOf(nodes[left + 1]!) <= FULL / 2) join(nodes, left);
  }
}

const lengthOf = <T>({ items, nodes }: Node<T>): number => Math.max(items.length, nodes.length);

function join<T>(nodes: Node<T>[], left: number): void {
  const [into, from] = [nodes[left]!, nodes[left + 1]!];
  into.items.push(...from.items);
  into.nodes.push(...from.nodes);
  into.size += from.size;
  addSums(into.sums, from.sums, 1);
  nodes.splice(left + 1, 1);
}

function addDemand(sums: number[], { dimensions, amounts }: Demand, sign: 1 | -1): void {
  for (let i = 0; i < dimensions.length; i++) addIn(sums, dimensions[i]!, sign * amounts[i]!);
}

function addSums(sums: number[], added: readonly number[], sign: 1 | -1): void {
  for (let dimension = 0; dimension < added.length; dimension++) addIn(sums, dimension, sign * added[dimension]!);
}

function addIn(sums: number[], dimension: number, amount: number): void {
  while (sums.length <= dimension) sums.push(0);
  sums[dimension]! += amount;
}

interface Before {
  count: number;
  sums: number[];
}

/** Whether what came before is enough with this; if it is not, this has come, too. */
function isEnough(
  before: Before,
  count: number,
  more: Demand | readonly number[],
  enough: (count: number, sums: readonly number[]) => boolean,
): boolean {
  const sums = [...before.sums];
  if ('dimensions' in more) addDemand(sums, more, 1);
  else addSums(sums, more, 1);
  if (enough(before.count + count, sums)) return true;
  before.count += count;
  before.sums = sums;
  return false;
}

function someOf<T>({ items, nodes }: Node<T>, visit: (item: T) => boolean): boolean {
  for (let i = 0; i < items.length; i++) if (visit(items[i]!)) return true;
  for (let i = 0; i < nodes.length; i++) if (someOf(nodes[i]!, visit)) return true;
  return false;
}

function* itemsFrom<T>({ items, nodes }: Node<T>, place: number): Generator<T> {
  for (let i = place; i < items.length; i++) yield items[i]!;
  let left = place;
  for (const node of nodes) {
    if (left < node.size) yield* itemsFrom(node, left);
    left = Math.max(0, left - node.size);
  }
}

const copyOf = <T>({ items, nodes, size, sums }: Node<T>): Node<T> => ({
  items: [...items],
  nodes: nodes.map(copyOf),
  size,
  sums: [...sums],
});
