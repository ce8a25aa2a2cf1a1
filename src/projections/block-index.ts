import type { EventFilter } from '../model/reading.ts';
import { fromBase64, toBase64 } from './base64.ts';

/** Of a block at first: its filter then takes two bytes an event. */
const FIRST_BLOCK_EVENTS = 512;
const WORD_BITS = 32;
const FILTER_WORDS = 256;
const FILTER_BITS = FILTER_WORDS * WORD_BITS;
/** Bits that an id sets. 512 ids in a block of 8 192 bits: one foreign id in 400 seems to be there. */
const BITS_PER_ID = 4;
/** Blocks whose memory lies together, and is saved as one text. */
const CHUNK_BLOCKS = 64;
/** 16 MiB of filters, for 8 M events at the first size of a block. */
const MAX_CHUNKS = 256;
/** Blocks that are given as one range at most, so that what is read follows closely on what was looked up. */
const RANGE_BLOCKS = 64;

/** What is added of an event's ids. Ids of leases and names of owners are told apart. */
export type Mark = (kind: 'lease' | 'owner', id: string) => void;

class Chunk {
  /** Of each block a Bloom filter of the ids in it. */
  readonly filters = new Int32Array(CHUNK_BLOCKS * FILTER_WORDS);
  /** Of each block the types of its events, a bit each. */
  readonly types = new Uint32Array(CHUNK_BLOCKS);
}

/** Plain JSON. */
export interface SavedIndex {
  readonly blockEvents: number;
  readonly next: number;
  /** Base64 of each chunk's filters, little-endian, and the types of its blocks. */
  readonly chunks: readonly SavedChunk[];
}
export type SavedChunk = readonly [filters: string, types: readonly number[]];

/**
 * Where in a stream the events lie that a filter may ask for. Of each block of 512 events it knows their types and, by a Bloom filter
 * of one KiB, the leases and owners that they are about: so what names a lease or an owner reads the blocks that hold it and a
 * few that only seem to, and never misses one. When the filters would be more than 16 MiB, two blocks become one of twice the size.
 */
export class BlockIndex {
  #blockEvents = FIRST_BLOCK_EVENTS;
  #chunks: Chunk[] = [];
  #next = 0;
  readonly #maxChunks: number;
  /** By type its bit. */
  readonly #bits: ReadonlyMap<string, number>;
  #owner: string | undefined;
  #ownerHash = 0;
  /** Of the block that is written: its chunk, and where its filter begins there. */
  #chunk = new Chunk();
  #place = 0;

  /** `types`: all that there are, at most 32, always in the same order. */
  constructor(types: readonly string[], { blockEvents = FIRST_BLOCK_EVENTS, maxChunks = MAX_CHUNKS } = {}) {
    this.#bits = new Map(types.map((type, place) => [type, 1 << place]));
    this.#blockEvents = blockEvents;
    this.#maxChunks = maxChunks;
  }

  /** The first revision that it does not know. */
  get next(): number {
    return this.#next;
  }

  /** Takes in the event at a revision, which is `next` or lies behind it; what it is about is then told by `mark`. */
  add(revision: number, type: string): void {
    const block = Math.floor(revision / this.#blockEvents);
    if (this.#next === 0 || revision % this.#blockEvents === 0 || revision > this.#next) this.#write(block);
    this.#chunk.types[this.#place / FILTER_WORDS]! |= this.#bits.get(type) ?? 0;
    this.#next = revision + 1;
  }

  /** An id that the event taken in last is about. */
  readonly mark: Mark = (kind, id) => {
    let hash: number;
    if (kind === 'lease') hash = hashOf(id, LEASE_SEED);
    else {
      if (id !== this.#owner) [this.#owner, this.#ownerHash] = [id, hashOf(id, OWNER_SEED)];
      hash = this.#ownerHash;
    }
    const { filters } = this.#chunk;
    const step = stepOf(hash);
    for (let n = 0, bit = hash; n < BITS_PER_ID; n++, bit = (bit + step) | 0) {
      const at = bit & (FILTER_BITS - 1);
      filters[this.#place + (at >>> 5)]! |= 1 << (at & 31);
    }
  };

  /** Ranges of revisions, ascending, both ends included, outside of which no event between `from` and `to` is asked for. */
  *ranges(filter: EventFilter, from: number, to: number): Generator<readonly [first: number, last: number]> {
    if (filter.types === undefined && filter.leaseId === undefined && filter.owner === undefined) {
      if (from <= to) yield [from, to];
      return;
    }
    const isIn = this.#test(filter);
    for (let at = from, first = -1; at <= to; ) {
      const block = Math.floor(at / this.#blockEvents);
      const last = at >= this.#next ? to : Math.min(to, this.#next - 1, (block + 1) * this.#blockEvents - 1);
      const isAskedFor = at >= this.#next || isIn(block);
      if (isAskedFor && first < 0) first = at;
      const isLong = last - first >= RANGE_BLOCKS * this.#blockEvents;
      if (first >= 0 && (!isAskedFor || isLong || last === to)) {
        yield [first, isAskedFor ? last : at - 1];
        first = -1;
      }
      at = last + 1;
    }
  }

  reset(): void {
    this.#blockEvents = FIRST_BLOCK_EVENTS;
    this.#chunks = [];
    this.#next = 0;
  }

  /** As it stands now, to be written down by and by: what it takes in from here on does not change it. */
  still(): { readonly head: Omit<SavedIndex, 'chunks'>; readonly chunks: () => Generator<SavedChunk> } {
    const chunks = [...this.#chunks];
    const last = chunks.pop();
    if (last !== undefined) chunks.push(copyOf(last));
    const head = { blockEvents: this.#blockEvents, next: this.#next };
    return { head, chunks: () => written(chunks) };
  }

  save(): SavedIndex {
    const { head, chunks } = this.still();
    return { ...head, chunks: [...chunks()] };
  }

  load({ chunks, ...head }: SavedIndex): void {
    this.begin(head);
    for (const chunk of chunks) this.takeChunk(chunk);
  }

  /** Forgets everything, for chunks that `takeChunk` is then given in their order. */
  begin({ blockEvents, next }: Omit<SavedIndex, 'chunks'>): void {
    this.reset();
    this.#blockEvents = blockEvents;
    this.#next = next;
  }

  takeChunk([filters, types]: SavedChunk): void {
    const chunk = new Chunk();
    fromBase64(filters, chunk.filters);
    chunk.types.set(types);
    this.#chunks.push(chunk);
    this.#open(Math.floor(Math.max(0, this.#next - 1) / this.#blockEvents));
  }

  /** The block that is written from here on. */
  #write(block: number): void {
    while (Math.floor(block / CHUNK_BLOCKS) >= this.#chunks.length) {
      if (this.#chunks.length >= this.#maxChunks) {
        this.#halve();
        this.#write(block >> 1);
        return;
      }
      this.#chunks.push(new Chunk());
    }
    this.#open(block);
  }

  #open(block: number): void {
    const chunk = this.#chunks[Math.floor(block / CHUNK_BLOCKS)];
    if (chunk === undefined) return;
    this.#chunk = chunk;
    this.#place = (block % CHUNK_BLOCKS) * FILTER_WORDS;
  }

  /** Two blocks become one. The old chunks stay as they are for whoever writes them down. */
  #halve(): void {
    const old = this.#chunks;
    this.#chunks = [];
    for (let at = 0; at < old.length; at += 2) {
      const chunk = new Chunk();
      for (const [half, from] of [old[at], old[at + 1]].entries())
        if (from !== undefined) mergePairs(from, chunk, half * (CHUNK_BLOCKS / 2));
      this.#chunks.push(chunk);
    }
    this.#blockEvents *= 2;
  }

  #test({ types, leaseId, owner }: EventFilter): (block: number) => boolean {
    const wanted = types?.reduce((bits, type) => bits | (this.#bits.get(type) ?? 0), 0);
    const hashes: number[] = [];
    if (leaseId !== undefined) hashes.push(hashOf(leaseId, LEASE_SEED));
    if (owner !== undefined) hashes.push(hashOf(owner, OWNER_SEED));
    return (block) => {
      const chunk = this.#chunks[Math.floor(block / CHUNK_BLOCKS)];
      if (chunk === undefined) return false;
      const place = block % CHUNK_BLOCKS;
      if (wanted !== undefined && (chunk.types[place]! & wanted) === 0) return false;
      return hashes.every((hash) => isMarked(chunk.filters, place * FILTER_WORDS, hash));
    };
  }
}

function isMarked(filters: Int32Array, place: number, hash: number): boolean {
  const step = stepOf(hash);
  for (let n = 0, bit = hash; n < BITS_PER_ID; n++, bit = (bit + step) | 0) {
    const at = bit & (FILTER_BITS - 1);
    if ((filters[place + (at >>> 5)]! & (1 << (at & 31))) === 0) return false;
  }
  return true;
}

function mergePairs(from: Chunk, to: Chunk, firstBlock: number): void {
  for (let block = 0; block < CHUNK_BLOCKS; block++) {
    const target = firstBlock + (block >> 1);
    to.types[target]! |= from.types[block]!;
    const [source, place] = [block * FILTER_WORDS, target * FILTER_WORDS];
    for (let word = 0; word < FILTER_WORDS; word++) to.filters[place + word]! |= from.filters[source + word]!;
  }
}

function copyOf(chunk: Chunk): Chunk {
  const copied = new Chunk();
  copied.filters.set(chunk.filters);
  copied.types.set(chunk.types);
  return copied;
}

function* written(chunks: readonly Chunk[]): Generator<SavedChunk> {
  for (const { filters, types } of chunks) yield [toBase64(filters), [...types]];
}

/** The distance between the bits of an id: odd, from the half of its hash that the first bit does not come from. */
const stepOf = (hash: number): number => (hash >>> 13) | 1;

const LEASE_SEED = 0x811c9dc5 | 0;
const OWNER_SEED = 0x2f0b4c47 | 0;
const FNV_PRIME = 0x01000193;

/** FNV-1a (Fowler, Noll, Vo) over UTF-16 units, and the end of MurmurHash3 (Appleby), so that every bit depends on all of the id. */
function hashOf(id: string, seed: number): number {
  let hash = seed;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), FNV_PRIME);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
