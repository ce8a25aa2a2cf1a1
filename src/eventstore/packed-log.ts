import { areEqual } from '../model/amounts.ts';
import { type EventData, type RecordedEvent, SCHEMA_VERSIONS } from '../model/events.ts';
import { areAlike } from '../model/request.ts';

type Granted = EventData['LeaseGranted'];
type Released = EventData['LeaseReleased'];

/** What many grants have in common. The request's `id` is empty and its `idempotencyKey` null. */
type Terms = Omit<Granted, 'leaseId' | 'token' | 'expiresAt'>;

/** A kind of grant or of release: all of the event but its ids, its token and its times. */
interface Kind {
  readonly actor: string;
  readonly terms: Terms | null;
  readonly cause: Released['cause'] | null;
}

const CHUNK_EVENTS = 1_024;
const NUMBERS = 3;
const KEPT_KINDS = 256;
const GRANTED_FIELDS = 11;
const REQUEST_FIELDS = 14;
const RELEASED_FIELDS = 3;
/** Without a key: an event that binds one is kept whole. */
const METADATA_FIELDS = 3;

/** A part of the log. Of an event either its kind and what is its own, or, in `whole`, all of it. */
class Chunk {
  readonly whole: (RecordedEvent | null)[] = new Array(CHUNK_EVENTS).fill(null);
  readonly kinds: (Kind | null)[] = new Array(CHUNK_EVENTS).fill(null);
  readonly ids: string[] = new Array(CHUNK_EVENTS).fill('');
  readonly leaseIds: string[] = new Array(CHUNK_EVENTS).fill('');
  /** Of a grant the caller's name for the task (null = the lease's id), of a release its command's id. */
  readonly names: (string | null)[] = new Array(CHUNK_EVENTS).fill(null);
  readonly keys: (string | null)[] = new Array(CHUNK_EVENTS).fill(null);
  /** at, token, expiresAt. */
  readonly numbers = new Float64Array(CHUNK_EVENTS * NUMBERS);
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
  readonly #kinds: (Kind | undefined)[] = new Array(KEPT_KINDS).fill(undefined);
  #lastGrant: Kind | undefined;
  #lastRelease: Kind | undefined;

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
    if (!packed) chunk.whole[place] = event;
    this.#length += 1;
  }

  /** Any event, kept as it is. */
  push(event: RecordedEvent): void {
    this.#chunkToWrite().whole[this.#length % CHUNK_EVENTS] = event;
    this.#length += 1;
  }

  at(revision: number): RecordedEvent {
    const chunk = this.#chunks[Math.floor(revision / CHUNK_EVENTS)]!;
    const place = revision % CHUNK_EVENTS;
    const whole = chunk.whole[place]!;
    if (whole !== null) return whole;
    const [at, token, expiresAt] = chunk.numbers.subarray(
      place * NUMBERS,
      (place + 1) * NUMBERS,
    ) as unknown as number[];
    const leaseId = chunk.leaseIds[place]!;
    const { actor, terms, cause } = chunk.kinds[place]!;
    const type = terms === null ? 'LeaseReleased' : 'LeaseGranted';
    const data =
      terms === null
        ? ({ leaseId, token: token!, cause: cause! } satisfies Released)
        : grantOf(terms, leaseId, chunk.names[place] ?? leaseId, chunk.keys[place]!, token!, expiresAt!);
    const commandId = terms === null ? chunk.names[place]! : leaseId;
    const metadata = { correlationId: commandId, causationId: commandId, actor };
    const schemaVersion = SCHEMA_VERSIONS[type];
    return { id: chunk.ids[place]!, type, schemaVersion, at: at!, data, metadata, stream: this.stream, revision };
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

  /** False if it is not a plain grant: one that a command asked for and got at once, of this version and with no other field. */
  #packGrant(chunk: Chunk, place: number, { id, schemaVersion, at, data, metadata }: RecordedEvent): boolean {
    const grant = data as Granted;
    if (countOf(grant) !== GRANTED_FIELDS || countOf(grant.request) !== REQUEST_FIELDS) return false;
    if (countOf(metadata) !== METADATA_FIELDS) return false;
    const { leaseId, request } = grant;
    if (schemaVersion !== SCHEMA_VERSIONS.LeaseGranted || grant.waitedMs !== null) return false;
    if (metadata.causationId !== leaseId || metadata.correlationId !== leaseId) return false;
    chunk.kinds[place] = this.#grantKind(grant, metadata.actor);
    chunk.ids[place] = id;
    chunk.leaseIds[place] = leaseId;
    chunk.names[place] = request.id === leaseId ? null : request.id;
    chunk.keys[place] = request.idempotencyKey;
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
    chunk.leaseIds[place] = release.leaseId;
    chunk.names[place] = metadata.causationId;
    chunk.numbers[place * NUMBERS] = at;
    chunk.numbers[place * NUMBERS + 1] = release.token;
    return true;
  }

  #grantKind(grant: Granted, actor: string): Kind {
    const last = this.#lastGrant;
    if (last !== undefined && last.actor === actor && areTermsOf(last.terms!, grant)) return last;
    const place = placeOf(grant);
    const kept = this.#kinds[place];
    const known = kept !== undefined && kept.actor === actor && areTermsOf(kept.terms!, grant);
    const kind = known ? kept : { actor, terms: termsOf(grant), cause: null };
    this.#kinds[place] = kind;
    this.#lastGrant = kind;
    return kind;
  }

  #releaseKind({ cause }: Released, actor: string): Kind {
    const last = this.#lastRelease;
    if (last !== undefined && last.actor === actor && last.cause === cause) return last;
    this.#lastRelease = { actor, terms: null, cause };
    return this.#lastRelease;
  }
}

function countOf(fields: object): number {
  let count = 0;
  for (const _ in fields) count += 1;
  return count;
}

function placeOf({ amounts, request, tier }: Granted): number {
  let hash = request.owner.length * 7 + tier.length;
  for (const dimension in amounts) hash = (Math.imul(hash, 31) + amounts[dimension]!) | 0;
  return (hash ^ (hash >>> 12)) & (KEPT_KINDS - 1);
}

function termsOf({ request, priority, type, tier, amounts, borrowed, ttlMs, waitedMs }: Granted): Terms {
  const asked = { ...request, id: '', idempotencyKey: null };
  return { request: asked, priority, type, tier, amounts, borrowed, ttlMs, waitedMs };
}

function areTermsOf(terms: Terms, grant: Granted): boolean {
  return (
    terms.tier === grant.tier &&
    terms.priority === grant.priority &&
    terms.type === grant.type &&
    terms.ttlMs === grant.ttlMs &&
    areEqual(terms.amounts, grant.amounts) &&
    areEqual(terms.borrowed, grant.borrowed) &&
    areAlike(terms.request, grant.request)
  );
}

function grantOf(
  { request, priority, type, tier, amounts, borrowed, ttlMs, waitedMs }: Terms,
  leaseId: string,
  id: string,
  idempotencyKey: string | null,
  token: number,
  expiresAt: number,
): Granted {
  const asked = { ...request, id, idempotencyKey };
  return { leaseId, request: asked, priority, type, tier, amounts, borrowed, token, ttlMs, expiresAt, waitedMs };
}
