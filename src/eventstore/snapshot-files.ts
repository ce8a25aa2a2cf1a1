import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Snapshot, SnapshotStore } from '../model/event-store.ts';
import type { Logger } from '../model/interfaces.ts';
import { sha256 } from './sha256.ts';

/**
 * Snapshots as files of a folder beside the log, one a stream: a line with the SHA-256 of the rest, then JSON. Written beside and
 * renamed, so that there is always a whole one; the folder may be deleted at any time.
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

  /** Resolves when the snapshot is on the disk. The state is taken at the call. A read-only store saves none. */
  save(stream: string, snapshot: Snapshot): Promise<void> {
    if (this.#readOnly) return Promise.resolve();
    const json = JSON.stringify(snapshot);
    const written = this.#saved.then(() => replaceFile(this.#path(stream), `${sha256(json)}\n${json}`));
    this.#saved = written.catch(() => {});
    return written;
  }

  async load(stream: string): Promise<Snapshot | undefined> {
    const path = this.#path(stream);
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => this.#unreadable(path, error));
    if (text === undefined) return undefined;
    const json = text.slice(65);
    if (text[64] === '\n' && text.slice(0, 64) === sha256(json)) return JSON.parse(json) as Snapshot;
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

async function replaceFile(path: string, text: string): Promise<void> {
  await makeFolder(dirname(path));
  const beside = `${path}.tmp`;
  await writeFile(beside, text, { flush: true });
  await rename(beside, path);
  const folder = await open(dirname(path));
  await folder.sync().finally(() => folder.close());
}
