import { crc32 } from 'node:zlib';
import { PoolError } from '../model/errors.ts';
import type { RecordedEvent } from '../model/events.ts';

/**
 * What an exported log says before its events. `from` and `to`: the first and the last revision of each stream as it was then; `to` -1 =
 * none. A server that keeps only so many refusals has the audit stream begin later, and later still by the time it is read.
 */
export interface ExportHeader {
  readonly format: typeof FORMAT;
  readonly version: number;
  readonly poolId: string;
  /** Absent in older exports: both from 0. */
  readonly from?: Readonly<Record<StreamKey, number>>;
  readonly to: Readonly<Record<StreamKey, number>>;
}

/** How many events the header announces. */
export function announced({ from = { pool: 0, audit: 0 }, to }: ExportHeader): Readonly<Record<StreamKey, number>> {
  return { pool: to.pool - from.pool + 1, audit: to.audit - from.audit + 1 };
}

/**
 * What it says after them: their counts as announced, and the SHA-256 of the canonical state that the pool's events fold to. `ruledOut`: the
 * token floor that the log is to begin above and its events do not tell of; absent if there is none.
 */
export interface ExportEnd {
  readonly events: number;
  readonly refusals: number;
  /** Of the form of the state that was hashed: the hash of another form says nothing here. */
  readonly stateVersion: number;
  readonly sha256: string;
  readonly ruledOut?: number;
}

export const FORMAT = 'resource-pool-log';
export const FORMAT_VERSION = 1;

/** Which of a pool's two streams an event stands in. */
export type StreamKey = 'pool' | 'audit';

export type ExportRecord =
  | { readonly header: ExportHeader }
  | { readonly stream: StreamKey; readonly event: Omit<RecordedEvent, 'stream'> }
  | { readonly end: ExportEnd };

/**
 * Lines of an exported log: NDJSON, each with the CRC-32 of its record, continued from the line before it. So a line that is
 * changed, missing, or put elsewhere is found at its place, and a file that was cut short is known to be whole up to its cut.
 */
export class LineWriter {
  #chain: number;

  constructor(chain = 0) {
    this.#chain = chain;
  }

  line(record: ExportRecord): string {
    const json = JSON.stringify(record);
    this.#chain = crc32(json, this.#chain);
    return `{"crc":${this.#chain},"record":${json}}\n`;
  }
}

const LINE = /^\{"crc":(\d{1,10}),"record":(.*)\}\n$/s;

/** Reads lines back with their line breaks, one after the other, and refuses the first that is not the one that was written there. */
export class LineReader {
  #chain = 0;
  #lines = 0;

  get chain(): number {
    return this.#chain;
  }

  /** Throws INVALID_REQUEST naming the line. */
  record(line: string): ExportRecord {
    const read = this.tryRecord(line);
    if (read !== undefined) return read;
    throw new PoolError('INVALID_REQUEST', `line ${this.#lines + 1} is damaged: its checksum does not fit`);
  }

  /** Undefined, and nothing is moved on, if the line is not the one that was written after those read so far. */
  tryRecord(line: string): ExportRecord | undefined {
    const match = LINE.exec(line);
    if (match === null) return undefined;
    const chain = crc32(match[2]!, this.#chain);
    if (chain !== Number(match[1])) return undefined;
    this.#chain = chain;
    this.#lines += 1;
    return JSON.parse(match[2]!) as ExportRecord;
  }
}
