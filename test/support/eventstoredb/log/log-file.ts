import { closeSync, existsSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

const FILE_NAME = 'events.log';
/** Before each entry: its length and its CRC-32, 4 bytes each. */
const HEADER_BYTES = 8;

interface Waiting {
  /** Without an entry, it waits for those before it. */
  readonly entry?: Buffer;
  readonly onDurable: () => void;
}

/**
 * An append-only file of checksummed entries. One write and one fdatasync are in flight at a time; what is appended
 * meanwhile shares the next ones (group commit). Entries become durable in the order of appending.
 */
export class LogFile {
  readonly #file: FileHandle;
  readonly #syncs: boolean;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;

  constructor(file: FileHandle, syncs: boolean) {
    this.#file = file;
    this.#syncs = syncs;
  }

  /** `onDurable` is called once the entry would survive a crash (without fsync: of this process only). */
  append(entry: Buffer, onDurable: () => void): void {
    this.#waiting.push({ entry, onDurable });
    this.#flushing ??= this.#flush();
  }

  /** Calls `onDurable` once everything appended so far is durable: at once if it is. */
  afterAppended(onDurable: () => void): void {
    if (this.#flushing === undefined) onDurable();
    else this.#waiting.push({ onDurable });
  }

  /** Writes what waits, then closes. */
  async close(): Promise<void> {
    await this.#flushing;
    await this.#file.close();
  }

  /** A failed write or fdatasync ends the process, as in the real server: nothing of it is acknowledged. */
  async #flush(): Promise<void> {
    await undefined; // what is appended in this tick belongs to the same write
    try {
      while (this.#waiting.length > 0) await this.#writeGroup(this.#waiting.splice(0));
    } catch (error) {
      console.error('The log cannot be written:', error);
      process.exit(1);
    }
    this.#flushing = undefined;
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.concat(group.flatMap(({ entry }) => (entry === undefined ? [] : [headerOf(entry), entry])));
    for (let written = 0; written < bytes.length; ) {
      written += (await this.#file.write(bytes, written)).bytesWritten;
    }
    if (this.#syncs && bytes.length > 0) await this.#file.datasync();
    for (const { onDurable } of group) onDurable();
  }
}

/** What an opened file holds. `cutBytes` counts a torn tail, which is cut off. */
export interface OpenedLog {
  readonly file: LogFile;
  readonly entries: readonly Buffer[];
  readonly cutBytes: number;
}

/** Opens the log in `directory`, which is made if it is not there. */
export async function openLogFile(directory: string, syncs: boolean): Promise<OpenedLog> {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, FILE_NAME);
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
  const { entries, soundBytes } = soundEntries(bytes);
  if (soundBytes < bytes.length) cutTail(path, soundBytes);
  return { file: new LogFile(await open(path, 'a'), syncs), entries, cutBytes: bytes.length - soundBytes };
}

/** The entries up to the first one that is incomplete or does not match its checksum. */
function soundEntries(bytes: Buffer): { entries: Buffer[]; soundBytes: number } {
  const entries: Buffer[] = [];
  let offset = 0;
  while (offset + HEADER_BYTES <= bytes.length) {
    const end = offset + HEADER_BYTES + bytes.readUInt32BE(offset);
    const entry = bytes.subarray(offset + HEADER_BYTES, end);
    if (end > bytes.length || entry.length === 0 || crc32(entry) !== bytes.readUInt32BE(offset + 4)) break;
    entries.push(entry);
    offset = end;
  }
  return { entries, soundBytes: offset };
}

function cutTail(path: string, bytes: number): void {
  const descriptor = openSync(path, 'r+');
  ftruncateSync(descriptor, bytes);
  fdatasyncSync(descriptor);
  closeSync(descriptor);
}

function headerOf(entry: Buffer): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt32BE(entry.length);
  header.writeUInt32BE(crc32(entry), 4);
  return header;
}
