import { type EventData, type RecordedEvent, SCHEMA_VERSIONS } from '../model/events.ts';
import { areTermsOf, type GrantTerms, grantTerms, placeOfTerms } from '../model/grant-terms.ts';

type Granted = EventData['LeaseGranted'];
type Released = EventData['LeaseReleased'];

/** A kind of grant or of release: all of the event but its ids, its token and its times. */
interface Kind {
  readonly actor: string;
  readonly terms: GrantTerms | null;
  readonly ttlMs: number;
  readonly cause: Released['cause'] | null;
}

const CHUNK_EVENTS = 1_024;
const NUMBERS = 3;
const KEPT_KINDS = 1_024;
const GRANTED_FIELDS = 11;
const REQUEST_FIELDS = 14;
const RELEASED_FIELDS = 3;
/** Without a key: an event that binds one is kept whole. */
const METADATA_FIELDS = 3;

/** A part of the log. Of an event either its kind and what is its own, or, in `whole`, all of it. */
class Chunk {
  readonly whole = new Map<number, RecordedEvent>();
  /** By place, the kind's place among the log's kinds. */
  readonly kinds = new Uint32Array(CHUNK_EVENTS);
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
  readonly #chunks: Chunk[] = [];
  #length = 0;
  readonly #kinds: Kind[] = [];
  /** Places among the kinds: of grants by a hash of their terms, and of the last grant and release. */
  readonly #places = new Int32Array(KEPT_KINDS).fill(-1);
  #lastGrant = -1;
  #lastRelease = -1;

  constructor(stream: string) {
    this.stream = stream;
  }

  get length(): number {
    return this.#length;
  }

  /** An event that the pool has folded: its data are what its type says. Its revision must be the log's length. */
  pushFolded(event: RecordedEvent): void {
    const chunk = this.#chunkToWrite();
    const place = this.#length % CHUNK_EVENTS;
    const packed =
      event.type === 'LeaseGranted'
        ? this.#packGrant(chunk, place, event)
        : event.type === 'LeaseReleased' && this.#packRelease(chunk, place, event);
    if (!packed) chunk.whole.set(place, event);
    this.#length += 1;
  }

  /** Any event, kept as it is. */
  push(event: RecordedEvent): void {
    this.#chunkToWrite().whole.set(this.#length % CHUNK_EVENTS, event);
    this.#length += 1;
  }

  at(revision: number): RecordedEvent {
    const chunk = this.#chunks[Math.floor(revision / CHUNK_EVENTS)]!;
    const place = revision % CHUNK_EVENTS;
    return chunk.whole.get(place) ?? this.#unpack(chunk, place, revision);
  }

  /** The revisions from `first` to below `end`, as far as they are there. */
  slice(first: number, end: number): RecordedEvent[] {
    const events: RecordedEvent[] = [];
    for (let revision = first; revision < Math.min(end, this.#length); revision++) events.push(this.at(revision));
    return events;
  }

  #chunkToWrite(): Chunk {
    if (this.#length % CHUNK_EVENTS === 0) this.#chunks.push(new Chunk());
    return this.#chunks.at(-1)!;
  }

  #unpack(chunk: Chunk, place: number, revision: number): RecordedEvent {
    const { actor, terms, ttlMs, cause } = this.#kinds[chunk.kinds[place]!]!;
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
    chunk.kinds[place] = this.#grantKind(grant, metadata.actor);
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
    chunk.kinds[place] = this.#releaseKind(release, metadata.actor);
    chunk.ids[place] = id;
    chunk.commandIds[place] = metadata.causationId;
    chunk.names[place] = release.leaseId;
    chunk.numbers[place * NUMBERS] = at;
    chunk.numbers[place * NUMBERS + 1] = release.token;
    return true;
  }

  #grantKind(grant: Granted, actor: string): number {
    if (this.#isKind(this.#lastGrant, grant, actor)) return this.#lastGrant;
    const at = placeOfTerms(grant, KEPT_KINDS);
    const kept = this.#places[at]!;
    const place = this.#isKind(kept, grant, actor)
      ? kept
      : this.#kinds.push({ actor, terms: grantTerms(grant), ttlMs: grant.ttlMs, cause: null }) - 1;
    this.#places[at] = place;
    this.#lastGrant = place;
    return place;
  }

  #isKind(place: number, grant: Granted, actor: string): boolean {
    if (place < 0) return false;
    const kind = this.#kinds[place]!;
    return kind.actor === actor && kind.ttlMs === grant.ttlMs && areTermsOf(kind.terms!, grant);
  }

  #releaseKind({ cause }: Released, actor: string): number {
    const last = this.#kinds[this.#lastRelease];
    if (last === undefined || last.actor !== actor || last.cause !== cause)
      this.#lastRelease = this.#kinds.push({ actor, terms: null, ttlMs: 0, cause }) - 1;
    return this.#lastRelease;
  }
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
