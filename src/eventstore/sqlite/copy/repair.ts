import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { NewEvent, RecordedEvent } from '../../../model/events.ts';
import { isAuditStream } from '../../../model/ids.ts';
import { tokenOf } from '../../../model/values/tokens.ts';
import { toRow } from '../../codec.ts';
import { DamagedLogError } from '../../errors.ts';
import { floorAbove, floorRaised, highestRuledOut } from '../../token-floor.ts';
import { SqliteFile } from '../file.ts';
import type { FileIdentity } from '../schema.ts';
import { lastChecksum } from '../verify.ts';
import { Salvage } from './salvage.ts';

/** What a repair has kept of one stream, and what it has not. */
export interface RepairedStream {
  readonly stream: string;
  readonly kept: number;
  /** The first revision that is missing though later ones are there; null = none is known to be. */
  readonly missingFrom: number | null;
  /** Events behind that, which are whole and cannot be kept: what is folded must have no gap. */
  readonly behind: number;
}

export interface Repaired {
  readonly streams: readonly RepairedStream[];
  readonly kept: number;
  /** At least so many events are missing: those that the mark or a page knows of and that were not kept. */
  readonly missing: number;
  /** The highest token in what was kept, and the highest that is known to have been given. */
  readonly tokens: { readonly kept: number; readonly known: number };
  readonly tokenFloor: number;
}

export interface CopyOptions {
  /** Default: far above every token that is known. */
  readonly tokenFloor?: number;
  readonly onProgress?: (done: { readonly events: number; readonly total: number }) => void;
  /** Unix ms, for the event that raises the token floor. */
  readonly now: number;
}

const BATCH_EVENTS = 1_000;
/** From so many batches on what was written is moved out of the write-ahead log. */
const BATCHES_OF_WAL = 50;

/**
 * Writes what is provably whole of a damaged log to a new file: of each stream the events from its first to the last before its first gap.
 * The damaged one is only read. Throws DamagedLogError if nothing of it can be kept, INVALID_REQUEST for a token floor that is too low,
 * LOG_UNAVAILABLE if the new file cannot be finished (a full disk).
 */
export function repairFile(path: string, to: string, options: CopyOptions): Repaired {
  const salvage = new Salvage(path);
  try {
    return new Repair(salvage, path, to, options).run();
  } finally {
    salvage.close();
  }
}

/** What of a stream was found by now. */
interface Found {
  kept: number;
  missingFrom: number | null;
  behind: number;
  /** Of its last event that was kept, Unix ms. */
  at: number;
  lastToken: number;
  /** The copy that its token floor was last raised for. */
  floorFor?: string | undefined;
}

class Repair {
  readonly #salvage: Salvage;
  readonly #path: string;
  readonly #options: CopyOptions;
  readonly #identity: FileIdentity;
  readonly #file: SqliteFile;
  readonly #streams = new Map<string, Found>();
  #batch: NewEvent[] = [];
  #stream = '';
  #checksum: number;
  #batches = 0;
  #tokens = { kept: 0, known: 0 };

  constructor(salvage: Salvage, path: string, to: string, options: CopyOptions) {
    const id = randomUUID();
    this.#salvage = salvage;
    this.#path = path;
    this.#options = options;
    this.#identity = { id, seed: crc32(id), origin: salvage.id ?? 'unknown', floor: null };
    this.#file = new SqliteFile(to, false, this.#identity);
    this.#checksum = lastChecksum(this.#file);
    if (typeof salvage.mark !== 'string') this.#tokens.known = salvage.mark.token;
  }

  run(): Repaired {
    try {
      for (const { event } of this.#salvage.events()) this.#take(event);
      this.#flush();
      const kept = this.#file.runs.end;
      if (kept === 0) throw new DamagedLogError(this.#path, 'no event of it can be proven to be whole');
      const tokenFloor = this.#raise();
      this.#file.identify({ ...this.#identity, floor: tokenFloor }); // for a pool of which nothing was kept
      this.#file.settle();
      const streams = Array.from(this.#streams, ([stream, { kept, missingFrom, behind }]) => ({
        stream,
        kept,
        missingFrom,
        behind,
      }));
      return { streams, kept, missing: this.#salvage.lastKnown - kept, tokens: this.#tokens, tokenFloor };
    } finally {
      this.#file.close();
    }
  }

  #take({ stream, revision, ...event }: RecordedEvent): void {
    const found = this.#streams.get(stream) ?? { kept: 0, missingFrom: null, behind: 0, at: 0, lastToken: 0 };
    this.#streams.set(stream, found);
    found.lastToken = Math.max(found.lastToken, tokenOf(event));
    if (event.type === 'TokenFloorRaised')
      found.floorFor = (event.data as { fileId?: string }).fileId ?? found.floorFor;
    this.#tokens.known = Math.max(this.#tokens.known, tokenOf(event));
    if (revision !== found.kept) {
      found.missingFrom ??= found.kept;
      found.behind += 1;
      return;
    }
    this.#tokens.kept = Math.max(this.#tokens.kept, tokenOf(event));
    found.kept += 1;
    found.at = event.at;
    if (stream !== this.#stream || this.#batch.length === BATCH_EVENTS) this.#flush();
    this.#stream = stream;
    this.#batch.push(event);
  }

  #flush(): void {
    if (this.#batch.length > 0) this.#write(this.#stream, this.#batch);
    this.#batch = [];
    this.#options.onProgress?.({ events: this.#file.runs.end, total: this.#salvage.lastKnown });
  }

  #write(stream: string, events: readonly NewEvent[]): void {
    const { runs } = this.#file;
    const [end, revision] = [runs.end, runs.lastRevision(stream)];
    const rows = events.map((event, i) => {
      const row = toRow(event, stream, revision + 1 + i, end + 1 + i, this.#checksum);
      this.#checksum = row[2];
      return row;
    });
    this.#file.insert(rows, runs.next(stream));
    this.#batches += 1;
    if (this.#batches % BATCHES_OF_WAL === 0) this.#file.settle();
  }

  /** By all that is known of the log: of a copy also where it was to begin, of which its events may tell no more. */
  #ruledOut(): number {
    const { identity, mark } = this.#salvage;
    if (identity === undefined || identity.origin === null) return this.#tokens.known;
    const token = typeof mark !== 'string' && mark.id === identity.origin ? mark.token : 0;
    const restored = { fileId: identity.id, floor: identity.floor, token };
    const pools = [{ lastToken: 0 }, ...this.#streams.values()];
    return Math.max(this.#tokens.known, ...pools.map((pool) => highestRuledOut(pool, restored)));
  }

  /** Every pool in the file gives tokens above all that it, or what is lost of it, may have given. */
  #raise(): number {
    const floor = floorAbove(this.#ruledOut(), this.#options.tokenFloor);
    for (const [stream, { at }] of this.#streams)
      if (!isAuditStream(stream) && at > 0)
        this.#write(stream, [
          floorRaised({ floor, reason: 'repaired', fileId: this.#identity.id }, Math.max(at, this.#options.now)),
        ]);
    return floor;
  }
}
