import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Snapshot, SnapshotStore } from '../../model/event-store.ts';
import type { Logger } from '../../model/interfaces.ts';
import { jsonLines, parseLines, sha256InTurns } from '../snapshot-text.ts';

/** The SHA-256 in hexadecimal, and the end of its line. */
const LAST_LINE_BYTES = 65;

/**
 * Snapshots as files of a folder beside the log, one a stream: lines of JSON, one that says what it is of, then one for each part, and
 * a last line with the SHA-256 of all before it. Written beside and renamed, so that there is always a whole one; the folder may
 * be deleted at any time.
 */
export class SnapshotFiles implements SnapshotStore {
  readonly #folder: string;
  readonly #readOnly: boolean;
  readonly #logger: Logger;
  #saved: Promise<unknown> = Promise.resolve();

  constructor(folder: string, readOnly: boolean, logger: Logger) {
    this.#folder = folder;
    this.#readOnly = readOnly;
    this.#logger = logger;
  }

  /** Resolves when the snapshot is on the disk. A read-only store saves none. */
  save(stream: string, { parts, ...head }: Snapshot): Promise<void> {
    if (this.#readOnly) return Promise.resolve();
    const written = this.#saved.then(() => replaceFile(this.#path(stream), jsonLines(linesOf(head, parts))));
    this.#saved = written.catch(() => {});
    return written;
  }

  async load(stream: string): Promise<Snapshot | undefined> {
    const path = this.#path(stream);
    const text = await readFile(path).catch((error: NodeJS.ErrnoException) => this.#unreadable(path, error));
    if (text === undefined) return undefined;
    const lines = text.subarray(0, Math.max(0, text.length - LAST_LINE_BYTES));
    if (text.toString('latin1', lines.length) === `${await sha256InTurns(lines)}\n`) {
      const [head, ...parts] = await parseLines(lines);
      return { ...(head as Omit<Snapshot, 'parts'>), parts };
    }
    this.#logger.warn({ path }, 'a damaged snapshot is ignored');
    return undefined;
  }

  async delete(stream: string): Promise<void> {
    await rm(this.#path(stream), { force: true });
  }

  #unreadable(path: string, error: NodeJS.ErrnoException): undefined {
    if (error.code !== 'ENOENT') this.#logger.warn({ path, error }, 'a snapshot that cannot be read is ignored');
    return undefined;
  }

  /** Encoded so that a stream name with : or in other letter case gets its own file everywhere. */
  #path(stream: string): string {
    return join(this.#folder, `${Buffer.from(stream).toString('hex')}.json`);
  }
}

/** Not the folder of the log as well: if that is gone, there is nothing to go with the snapshot. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
}

function* linesOf(head: Omit<Snapshot, 'parts'>, parts: Iterable<unknown>): Generator<unknown> {
  yield head;
  yield* parts;
}

async function replaceFile(path: string, lines: AsyncIterable<Buffer>): Promise<void> {
  await makeFolder(dirname(path));
  const beside = `${path}.tmp`;
  await writeLines(beside, lines);
  await rename(beside, path);
  const folder = await open(dirname(path));
  await folder.sync().finally(() => folder.close());
}

async function writeLines(path: string, lines: AsyncIterable<Buffer>): Promise<void> {
  const hash = createHash('sha256');
  const file = await open(path, 'w');
  try {
    for await (const line of lines) {
      hash.update(line);
      await file.writeFile(line);
    }
    await file.writeFile(`${hash.digest('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}
