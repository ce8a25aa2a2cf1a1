import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';

/** What a caller asked for and what it was told, in the order in which it was told. */
export type Ack =
  | { readonly did: 'ask'; readonly key: string; readonly name: string; readonly memory: number }
  | { readonly did: 'granted' | 'replayed'; readonly key: string; readonly leaseId: string; readonly token: number }
  | { readonly did: 'refused'; readonly key: string; readonly code: string }
  | { readonly did: 'renewed' | 'releasing' | 'released' | 'found'; readonly leaseId: string };

/** What a process went through, so that a killed one says where it was. */
export type Phase = 'opening' | 'ready' | 'serving' | 'snapshot begun' | 'snapshot written';

export type Note = Ack | { readonly did: 'phase'; readonly phase: Phase };

export type Asked = Extract<Ack, { did: 'ask' }>;
export type Granted = Extract<Ack, { did: 'granted' | 'replayed' }>;

/** A file of notes, one a line. A kill -9 leaves what was written; the line that it cuts was told to nobody. */
export class NoteFile {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, 'a');
  }

  write(note: Note): void {
    appendFileSync(this.#fd, `${JSON.stringify(note)}\n`);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export function readNotes(path: string): Note[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Note);
}

/** What callers know after all their notes. */
export class Book {
  readonly granted = new Map<string, Granted>();
  readonly #asked = new Map<string, Asked>();
  readonly #left = new Set<string>();

  constructor(notes: Iterable<Note>) {
    for (const note of notes) this.#take(note);
  }

  /** Asked for and never answered: done or not, nobody knows. */
  get unanswered(): Asked[] {
    return [...this.#asked.values()].filter(({ key }) => !this.granted.has(key));
  }

  /** The last lease that was granted and that nobody tried to give back. */
  get last(): { readonly asked: Asked; readonly granted: Granted } | undefined {
    const granted = [...this.granted.values()].findLast(({ leaseId }) => !this.#left.has(leaseId));
    return granted && { granted, asked: this.#asked.get(granted.key)! };
  }

  #take(note: Note): void {
    if (note.did === 'ask') this.#asked.set(note.key, note);
    else if (note.did === 'refused') this.#asked.delete(note.key);
    else if (note.did === 'granted') this.granted.set(note.key, note);
    else if (note.did === 'releasing') this.#left.add(note.leaseId);
  }
}
