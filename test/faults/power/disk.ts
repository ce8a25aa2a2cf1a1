import type { Op } from './trace.ts';

type Change = { readonly data: Buffer; readonly offset: number } | { readonly length: number };

/** A file with what is surely on the disk, and what was done to it since it was last synced. */
interface Inode {
  readonly durable: Content;
  pending: Change[];
  /** Where the next write without an offset goes. */
  end: number;
}

type Naming =
  | { readonly link: string; readonly inode: Inode }
  | { readonly unlink: string }
  | { readonly rename: string; readonly to: string };

/** How much of what was never synced a crash leaves: nothing, all, whole writes in any selection, or parts of them of so many bytes. */
export type Survival = 'none' | 'all' | 'some' | { readonly tornBytes: 512 | 4096 };

/**
 * The files of a folder as a disk sees them. A write is sure to be there once its file has been synced; until then it may be there, or
 * not, or in part, whatever was written after it. Names are journaled: they come to be in the order in which they were given, and are
 * sure to when their file, or the folder, is synced. After a failed sync the kernel may hold for clean what was written until then:
 * it is seen by whoever reads, and never comes to the disk unless it is written once more.
 */
export class Disk {
  readonly #names = new Map<string, Inode>();
  readonly #namings: Naming[] = [];
  #sureNamings = 0;

  apply(op: Op): void {
    switch (op.op) {
      case 'open':
        if (op.create && !this.#names.has(op.path)) this.#create(op.path);
        if (op.truncate) this.#change(op.path, { length: 0 });
        if (op.truncate) this.#file(op.path).end = 0;
        break;
      case 'write': {
        const inode = this.#file(op.path);
        this.#change(op.path, { data: op.data, offset: op.offset ?? inode.end });
        inode.end += op.data.length;
        break;
      }
      case 'truncate':
        this.#change(op.path, { length: op.length });
        break;
      case 'sync':
        this.#sync(op.path);
        break;
      case 'failed sync':
        this.#file(op.path).pending = [];
        break;
      case 'unlink':
        this.#names.delete(op.path);
        this.#namings.push({ unlink: op.path });
        break;
      case 'rename':
        this.#names.set(op.to, this.#file(op.path));
        this.#names.delete(op.path);
        this.#namings.push({ rename: op.path, to: op.to });
    }
  }

  /** What a crash now may leave of the files. */
  crash(survival: Survival, random: () => number): Map<string, Buffer> {
    const names = new Map<string, Inode>();
    const more = this.#namings.length - this.#sureNamings;
    const kept = survival === 'none' ? 0 : survival === 'all' ? more : random() % (more + 1);
    for (const naming of this.#namings.slice(0, this.#sureNamings + kept)) rename(names, naming);
    const contents = new Map<Inode, Buffer>();
    const left = (inode: Inode): Buffer => {
      const known = contents.get(inode) ?? survivors(inode, survival, random).bytes;
      contents.set(inode, known);
      return known;
    };
    return new Map([...names].map(([path, inode]) => [path, left(inode)]));
  }

  #create(path: string): void {
    const inode: Inode = { durable: new Content(), pending: [], end: 0 };
    this.#names.set(path, inode);
    this.#namings.push({ link: path, inode });
  }

  #file(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`${path} is written, but was not created in the trace`);
    return inode;
  }

  #change(path: string, change: Change): void {
    this.#file(path).pending.push(change);
  }

  #sync(path: string): void {
    const inode = this.#names.get(path);
    if (inode === undefined) {
      this.#sureNamings = this.#namings.length; // a folder
      return;
    }
    for (const change of inode.pending) inode.durable.apply(change);
    inode.pending = [];
    const named = this.#namings.findLastIndex((naming) => 'link' in naming && naming.inode === inode);
    this.#sureNamings = Math.max(this.#sureNamings, named + 1);
  }
}

function rename(names: Map<string, Inode>, naming: Naming): void {
  if ('link' in naming) names.set(naming.link, naming.inode);
  else if ('unlink' in naming) names.delete(naming.unlink);
  else {
    const inode = names.get(naming.rename);
    if (inode !== undefined) names.set(naming.to, inode);
    names.delete(naming.rename);
  }
}

function survivors({ durable, pending }: Inode, survival: Survival, random: () => number): Content {
  const left = durable.copy();
  if (survival === 'none') return left;
  for (const change of pending) {
    if (survival === 'all') left.apply(change);
    else if (random() % 2 === 0) continue;
    else if (survival === 'some' || 'length' in change) left.apply(change);
    else for (const part of torn(change, survival.tornBytes, random)) left.apply(part);
  }
  return left;
}

/** The parts of a write that lie in whole blocks of the disk, each there or not. */
function* torn(
  { data, offset }: { readonly data: Buffer; readonly offset: number },
  blockBytes: number,
  random: () => number,
): Generator<Change> {
  const end = offset + data.length;
  for (let at = offset; at < end; ) {
    const next = Math.min(end, (Math.floor(at / blockBytes) + 1) * blockBytes);
    if (random() % 2 === 0) yield { data: data.subarray(at - offset, next - offset), offset: at };
    at = next;
  }
}

/** A file's bytes, changed in place. What was never written between others is zero. */
class Content {
  #room: Buffer;
  #length: number;

  constructor(room = Buffer.alloc(0), length = 0) {
    this.#room = room;
    this.#length = length;
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  copy(): Content {
    return new Content(Buffer.from(this.bytes), this.#length);
  }

  apply(change: Change): void {
    if ('length' in change) this.#resize(change.length);
    else {
      const { data, offset } = change;
      if (offset + data.length > this.#length) this.#resize(offset + data.length);
      data.copy(this.#room, offset);
    }
  }

  #resize(length: number): void {
    if (length > this.#room.length) {
      const room = Buffer.alloc(Math.max(length, this.#room.length * 2));
      this.bytes.copy(room);
      this.#room = room;
    } else if (length > this.#length) this.#room.fill(0, this.#length, length);
    this.#length = length;
  }
}
