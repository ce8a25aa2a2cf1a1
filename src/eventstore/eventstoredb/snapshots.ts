import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, gunzip, gzip } from 'node:zlib';
import type { Snapshot, SnapshotStore } from '../../model/event-store.ts';
import type { Logger } from '../../model/interfaces.ts';
import { DamagedLogError } from '../errors.ts';
import { jsonLines, parseLines, sha256InTurns } from '../snapshot-text.ts';
import type { Appender } from './appender.ts';
import { type Encoded, type Expected, encode } from './codec.ts';
import type { RecordedMessage } from './messages.ts';
import type { MetadataStreams } from './metadata.ts';
import type { Reader } from './reader.ts';
import { readBackwards } from './requests.ts';

const pack = promisify(gzip);
const unpack = promisify(gunzip);

const PART = 'SnapshotPart';
const TAKEN = 'SnapshotTaken';
/** With its `SnapshotTaken` one part fits into one append. */
const PART_BYTES = 1_000_000;
/**
 * How many events a save looks back for the last whole snapshot. Only saves that were broken off without one that ended between
 * them, some hundreds, put it further back; it is given up then, so that the stream stays within about 1 GB.
 */
const LOOK_BACK = 1_000;

/** The last event of a snapshot: what it is of, and by what it is found to be whole. */
interface Taken {
  readonly revision: number;
  readonly schemaVersion: number;
  readonly codeVersion: string;
  /** How many events of type `SnapshotPart` stand before this one: gzipped, a line of JSON for each part. */
  readonly parts: number;
  /** Of the lines. */
  readonly bytes: number;
  readonly sha256: string;
}

/** No pool's stream: those begin with `pool-`. */
export const snapshotStream = (stream: string): string => `snapshot-${stream}`;

/**
 * Snapshots in a stream of their own, each as parts and then a `SnapshotTaken`. The server keeps the newest two (`$maxCount`), and
 * between them what saves that were broken off have left; the stream may be deleted at any time. One that is not whole is passed
 * over for the one before it.
 */
export class EventStoreDbSnapshots implements SnapshotStore {
  readonly #appender: Appender;
  readonly #reader: Reader;
  readonly #metadata: MetadataStreams;
  readonly #readOnly: boolean;
  readonly #logger: Logger;
  #saved: Promise<unknown> = Promise.resolve();

  constructor(
    appender: Appender,
    reader: Reader,
    metadata: MetadataStreams,
    { readOnly, logger }: { readonly readOnly: boolean; readonly logger: Logger },
  ) {
    this.#appender = appender;
    this.#reader = reader;
    this.#metadata = metadata;
    this.#readOnly = readOnly;
    this.#logger = logger;
  }

  /** Rejects if it could not be written whole: there is the one before it then. */
  save(stream: string, { parts: values, revision, schemaVersion, codeVersion }: Snapshot): Promise<void> {
    if (this.#readOnly) return Promise.resolve();
    const written = this.#saved.then(async () => {
      const lines: Buffer[] = [];
      for await (const line of jsonLines(values)) lines.push(line);
      const json = Buffer.concat(lines);
      const packed = await pack(json, { level: constants.Z_BEST_SPEED });
      const parts = Array.from({ length: Math.ceil(packed.length / PART_BYTES) }, (_, i) =>
        packed.subarray(i * PART_BYTES, (i + 1) * PART_BYTES),
      );
      const of = { revision, schemaVersion, codeVersion };
      const taken: Taken = { ...of, parts: parts.length, bytes: json.length, sha256: await sha256InTurns(json) };
      await this.#write(snapshotStream(stream), parts, taken);
    });
    this.#saved = written.catch(() => {});
    return written;
  }

  async load(stream: string): Promise<Snapshot | undefined> {
    try {
      return await this.#load(stream);
    } catch (error) {
      if (!(error instanceof DamagedLogError)) throw error;
      this.#logger.warn({ err: error, stream }, 'snapshots that cannot be read are ignored');
      return undefined;
    }
  }

  async #load(stream: string): Promise<Snapshot | undefined> {
    let taken: Taken | undefined;
    let parts: Uint8Array[] = [];
    const backwards = readBackwards(snapshotStream(stream), 'end', Number.MAX_SAFE_INTEGER);
    for await (const page of this.#reader.pages(backwards, rawEvent)) {
      for (const { type, data } of page) {
        if (type !== PART) [taken, parts] = [parseTaken(data), []];
        else if (taken !== undefined) parts.unshift(data);
        if (taken === undefined || parts.length < taken.parts) continue;
        const snapshot = await restore(taken, parts);
        if (snapshot !== undefined) return snapshot;
        this.#logger.warn({ stream, revision: taken.revision }, 'a damaged snapshot is ignored');
        taken = undefined;
      }
    }
    return undefined;
  }

  async delete(stream: string): Promise<void> {
    const name = snapshotStream(stream);
    const last = await this.#reader.lastRevision(name);
    if (last >= 0) await this.#metadata.merge(name, { $tb: last + 1 });
  }

  /** In as many appends as it needs, each exactly behind what is known to be there: no two snapshots mix. */
  async #write(name: string, parts: readonly Buffer[], taken: Taken): Promise<void> {
    let expected = await this.#makeRoom(name, parts.length + 1);
    const last = encode(randomUUID(), TAKEN, 'application/json', Buffer.from(JSON.stringify(taken)));
    for (const [i, part] of parts.entries()) {
      const events: Encoded[] = [encode(randomUUID(), PART, 'application/octet-stream', part)];
      if (i === parts.length - 1) events.push(last);
      const answer = await this.#appender.append(name, events, expected);
      if (answer.kind !== 'success')
        throw new Error(`a snapshot could not be written: ${answer.kind}`, {
          cause: 'cause' in answer && answer.cause,
        });
      expected = answer.revision;
    }
  }

  /**
   * Makes room for one of `events` events behind all that stands from the last whole one on: that stays until the new one is
   * whole, however far the save comes. Resolves to where the stream ends.
   */
  async #makeRoom(name: string, events: number): Promise<Expected> {
    const { end, kept } = await this.#lastWhole(name);
    const $maxCount = events + kept;
    const metadata = await this.#metadata.read(name);
    if (metadata?.['$maxCount'] !== $maxCount) await this.#metadata.merge(name, { $maxCount });
    return end;
  }

  /**
   * `kept`: the events from the first of the last whole snapshot to the end of the stream. A `SnapshotTaken` stands only behind
   * all its parts; what is behind it is of saves that were broken off. A stream without events may end anywhere: it may have
   * been deleted.
   */
  async #lastWhole(name: string): Promise<{ readonly end: Expected; readonly kept: number }> {
    let end: Expected = 'any';
    for await (const page of this.#reader.pages(readBackwards(name, 'end', LOOK_BACK), rawEvent))
      for (const { type, data, revision } of page) {
        if (end === 'any') end = revision;
        const taken = type === TAKEN ? parseTaken(data) : undefined;
        if (taken !== undefined) return { end, kept: end - revision + 1 + taken.parts };
      }
    return { end, kept: 0 };
  }
}

const rawEvent = (message: RecordedMessage) => ({
  type: message.getMetadataMap().get('type'),
  data: message.getData_asU8(),
  revision: Number(message.getStreamRevision()),
});

function parseTaken(data: Uint8Array): Taken | undefined {
  try {
    const taken = JSON.parse(Buffer.from(data).toString()) as Taken;
    return Number.isSafeInteger(taken.parts) && Number.isSafeInteger(taken.bytes) ? taken : undefined;
  } catch {
    return undefined;
  }
}

/** Undefined if it is not whole. */
async function restore(taken: Taken, parts: readonly Uint8Array[]): Promise<Snapshot | undefined> {
  const { revision, schemaVersion, codeVersion, bytes } = taken;
  try {
    const json = await unpack(Buffer.concat(parts), { maxOutputLength: Math.max(1, bytes) });
    if ((await sha256InTurns(json)) !== taken.sha256) return undefined;
    return { revision, schemaVersion, codeVersion, parts: await parseLines(json) };
  } catch {
    return undefined;
  }
}
