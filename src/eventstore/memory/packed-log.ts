import { type EventData, type RecordedEvent, SCHEMA_VERSIONS } from '../../model/events.ts';
import { areTermsOf, type GrantTerms, grantTerms, placeOfTerms } from '../../model/grant-terms.ts';
import { goneError } from '../errors.ts';

type Granted = EventData['LeaseGranted'];
type Released = EventData['LeaseReleased'];

/** A kind of grant or of release: all of the event but its ids, its token and its times. */
interface Kind {
  /** The number of the last chunk that it is written down in, and its place there. */
  chunk: number;
  place: number;
  readonly actor: string;
  readonly terms: GrantTerms | null;
  readonly ttlMs: number;
  readonly cause: Released['cause'] | null;
}

const CHUNK_EVENTS = 1_024;
const NUMBERS = 3;
const KEPT_KINDS = 1_024;
/** About what an event that is taken apart takes, with its share of a chunk: in bytes, of V8's heap. */
const PACKED_BYTES = 160;
/** Of a kind of grant or release, and of an event that is kept whole, beside what it holds. */
const KIND_BYTES = 200;
const WHOLE_BYTES = 300;
const GRANTED_FIELDS = 11;
const REQUEST_FIELDS = 14;
const RELEASED_FIELDS = 3;
/** Without a key: an event that binds one is kept whole. */
const METADATA_FIELDS = 3;

/** A part of the log. Of an event either its kind and what is its own, or, in `whole`, all of it. */
class Chunk {
  readonly whole = new Map<number, RecordedEvent>();
  /** By place, the kind's place among the chunk's kinds. */
  readonly kindOf = new Uint16Array(CHUNK_EVENTS);
  readonly kinds: Kind[] = [];
  /** What each event counts, in bytes. */
  readonly bytes = new Uint32Array(CHUNK_EVENTS);
  /** at, token, expiresAt. */
  readonly numbers = new Float64Array(CHUNK_EVENTS * NUMBERS);
  readonly ids: string[] = new Array(CHUNK_EVENTS).fill('');
  /** Of a grant the lease's id too. */
  readonly commandIds: string[] = new Array(CHUNK_EVENTS).fill('');
  /** Of a grant the caller's name for the task, empty = the lease's id; of a release the lease's id. */
  readonly names: string[] = new Array(CHUNK_EVENTS).fill('');
}

/**
 * The events of one stream in memory. Plain grants and releases, which are nearly all of a pool's events, are taken apart: what
 * they share with others of their kind is kept once, the rest in arrays. So an event that is kept costs the garbage collector
 * nothing but its ids, and a fifth of the memory; as an object it costs more than to decide and fold it. They are put together
 * again when they are read. Other events are kept as they are.
 */
export class PackedLog {
  readonly stream: string;
  /** From the one that holds the first event that is kept. */
  readonly #chunks: Chunk[] = [];
  #first = 0;
  #length = 0;
  #bytes = 0;
  /** The last kinds of grants, by a hash of their terms. */
  readonly #known: (Kind | undefined)[] = new Array(KEPT_KINDS).fill(undefined);
  #lastGrant: Kind | undefined;
  #lastRelease: Kind | undefined;

  constructor(stream: string) {
    this.stream = stream;
  }

  /** The revision that the next event will have. */
  get length(): number {
    return this.#length;
  }
  /** The first revision that is kept. */
  get first(): number {
    return this.#first;
  }
  /** About what the events that are kept take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Lets the first event that is kept go. What it shares with its chunk goes with the chunk. */
  letGo(): void {
    const chunk = this.#chunks[0]!;
    const place = this.#first % CHUNK_EVENTS;
    this.#bytes -= chunk.bytes[place]!;
    chunk.whole.delete(place);
    this.#first += 1;
    if (place === CHUNK_EVENTS - 1) this.#chunks.shift();
  }

  /** An event that the pool has folded: its data are what its type says. Its revision must be the log's length. */
  pushFolded(event: RecordedEvent): void {
    const chunk = this.#chunkToWrite();
    const place = this.#length % CHUNK_EVENTS;
    const packed =
      event.type === 'LeaseGranted'
        ? this.#packGrant(chunk, place, event)
        : event.type === 'LeaseReleased' && this.#packRelease(chunk, place, event);
    if (packed) this.#grown(chunk, PACKED_BYTES);
    else this.#keepWhole(chunk, event);
  }

  /** Any event, kept as it is. */
  push(event: RecordedEvent): void {
    this.#keepWhole(this.#chunkToWrite(), event);
  }

  /** One that is kept. */
  at(revision: number): RecordedEvent {
    const dropped = Math.floor(this.#first / CHUNK_EVENTS);
    const chunk = this.#chunks[Math.floor(revision / CHUNK_EVENTS) - dropped]!;
    const place = revision % CHUNK_EVENTS;
    return chunk.whole.get(place) ?? this.#unpack(chunk, place, revision);
  }

  /** The revisions from `first` to below `end`, as far as they have come. Throws NOT_FOUND for one that was let go. */
  slice(first: number, end: number): RecordedEvent[] {
    if (first < this.#first) throw goneError(this.stream, first, this.#first);
    const events: RecordedEvent[] = [];
    for (let revision = first; revision < Math.min(end, this.#length); revision++) events.push(this.at(revision));
    return events;
  }

  #chunkToWrite(): Chunk {
    if (this.#length % CHUNK_EVENTS === 0) this.#chunks.push(new Chunk());
    return this.#chunks.at(-1)!;
  }

  #keepWhole(chunk: Chunk, event: RecordedEvent): void {
    chunk.whole.set(this.#length % CHUNK_EVENTS, event);
    this.#grown(chunk, WHOLE_BYTES + weigh(event.data) + weigh(event.metadata));
  }

  /** By one event; the chunk may have grown by its kind already. */
  #grown(chunk: Chunk, bytes: number): void {
    chunk.bytes[this.#length % CHUNK_EVENTS]! += bytes;
    this.#bytes += bytes;
    this.#length += 1;
  }

  #unpack(chunk: Chunk, place: number, revision: number): RecordedEvent {
    const { actor, terms, ttlMs, cause } = chunk.kinds[chunk.kindOf[place]!]!;
    const { [place * NUMBERS]: at, [place * NUMBERS + 1]: token, [place * NUMBERS + 2]: expiresAt } = chunk.numbers;
    const [commandId, name] = [chunk.commandIds[place]!, chunk.names[place]!];
    const type = terms === null ? 'LeaseReleased' : 'LeaseGranted';
    const data =
      terms === null
        ? ({ leaseId: name, token: token!, cause: cause! } satisfies Released)
        : grantOf(terms, commandId, name === '' ? commandId : name, token!, ttlMs, expiresAt!);
    const metadata = { correlationId: commandId, causationId: commandId, actor };
    const schemaVersion = SCHEMA_VERSIONS[type];
    return { id: chunk.ids[place]!, type, schemaVersion, at: at!, data, metadata, stream: this.stream, revision };
  }

  /** False if it is not a plain grant: one that a command without a key asked for and got at once, with no field unknown here. */
  #packGrant(chunk: Chunk, place: number, { id, schemaVersion, at, data, metadata }: RecordedEvent): boolean {
    const grant = data as Granted;
    if (countOf(grant) !== GRANTED_FIELDS || countOf(grant.request) !== REQUEST_FIELDS) return false;
    if (countOf(metadata) !== METADATA_FIELDS || grant.request.idempotencyKey !== null) return false;
    const { leaseId, request } = grant;
    if (schemaVersion !== SCHEMA_VERSIONS.LeaseGranted || grant.waitedMs !== null) return false;
    if (metadata.causationId !== leaseId || metadata.correlationId !== leaseId) return false;
    chunk.kindOf[place] = this.#placeOf(this.#grantKind(grant, metadata.actor), chunk);
    chunk.ids[place] = id;
    chunk.commandIds[place] = leaseId;
    if (request.id !== leaseId) chunk.names[place] = request.id;
    chunk.numbers[place * NUMBERS] = at;
    chunk.numbers[place * NUMBERS + 1] = grant.token;
    chunk.numbers[place * NUMBERS + 2] = grant.expiresAt;
    return true;
  }

  #packRelease(chunk: Chunk, place: number, { id, schemaVersion, at, data, metadata }: RecordedEvent): boolean {
    const release = data as Released;
    if (schemaVersion !== SCHEMA_VERSIONS.LeaseReleased || metadata.correlationId !== metadata.causationId)
      return false;
    if (countOf(release) !== RELEASED_FIELDS || countOf(metadata) !== METADATA_FIELDS) return false;
    chunk.kindOf[place] = this.#placeOf(this.#releaseKind(release, metadata.actor), chunk);
    chunk.ids[place] = id;
    chunk.commandIds[place] = metadata.causationId;
    chunk.names[place] = release.leaseId;
    chunk.numbers[place * NUMBERS] = at;
    chunk.numbers[place * NUMBERS + 1] = release.token;
    return true;
  }

  /** Written down in each chunk that it occurs in, so that it goes with the last of them. */
  #placeOf(kind: Kind, chunk: Chunk): number {
    const number = Math.floor(this.#length / CHUNK_EVENTS);
    if (kind.chunk === number) return kind.place;
    kind.chunk = number;
    kind.place = chunk.kinds.push(kind) - 1;
    const bytes = KIND_BYTES + weigh(kind.terms);
    chunk.bytes[this.#length % CHUNK_EVENTS]! += bytes;
    this.#bytes += bytes;
    return kind.place;
  }

  #grantKind(grant: Granted, actor: string): Kind {
    if (isKind(this.#lastGrant, grant, actor)) return this.#lastGrant;
    const at = placeOfTerms(grant, KEPT_KINDS);
    let kind = this.#known[at];
    if (!isKind(kind, grant, actor))
      kind = { chunk: NOWHERE, place: 0, actor, terms: grantTerms(grant), ttlMs: grant.ttlMs, cause: null };
    this.#known[at] = kind;
    this.#lastGrant = kind;
    return kind;
  }

  #releaseKind({ cause }: Released, actor: string): Kind {
    const last = this.#lastRelease;
    if (last !== undefined && last.actor === actor && last.cause === cause) return last;
    this.#lastRelease = { chunk: NOWHERE, place: 0, actor, terms: null, ttlMs: 0, cause };
    return this.#lastRelease;
  }
}

const NOWHERE = -1;

const isKind = (kind: Kind | undefined, grant: Granted, actor: string): kind is Kind =>
  kind !== undefined && kind.actor === actor && kind.ttlMs === grant.ttlMs && areTermsOf(kind.terms!, grant);

/** About what a field and a text take beside the text's characters, in bytes. */
const FIELD_BYTES = 24;
const TEXT_BYTES = 16;
const UNIT_BYTES = 2;

/** About what a plain value takes, in bytes. It is as deep as our own events are. */
function weigh(value: unknown): number {
  if (typeof value === 'string') return TEXT_BYTES + value.length * UNIT_BYTES;
  if (typeof value !== 'object' || value === null) return 0;
  let bytes = 0;
  for (const name in value) bytes += FIELD_BYTES + name.length + weigh((value as Record<string, unknown>)[name]);
  return bytes;
}

function countOf(fields: object): number {
  let count = 0;
  for (const _ in fields) count += 1;
  return count;
}

function grantOf(
  { request, priority, type, tier, amounts, borrowed }: GrantTerms,
  leaseId: string,
  id: string,
  token: number,
  ttlMs: number,
  expiresAt: number,
): Granted {
  const asked = { ...request, id };
  return { leaseId, request: asked, priority, type, tier, amounts, borrowed, token, ttlMs, expiresAt, waitedMs: null };
}
