import { setMaxListeners } from 'node:events';
import { PoolError } from '../../model/errors.ts';
import type {
  AppendResult,
  EventStore,
  ReadOptions,
  SnapshotStore,
  StoreTraits,
  SubscribeOptions,
  SubscriptionItem,
} from '../../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../../model/events.ts';
import { type Logger, SILENT } from '../../model/interfaces.ts';
import { refuseBatch, refused } from '../batch.ts';
import { closedError, damagedAt } from '../errors.ts';
import type { OpenStoreOptions } from '../options.ts';
import { checkedRange } from '../ranges.ts';
import { Appender } from './appender.ts';
import { type Encoded, encodeEvent } from './codec.ts';
import { Connection } from './connection/connection.ts';
import { parseStoreUrl } from './connection/url.ts';
import { MetadataStreams } from './metadata.ts';
import type { Answer } from './outcome.ts';
import { pause } from './pause.ts';
import { decodeLifted, Reader } from './reader.ts';
import { readAllOf, readBackwards, readForwards } from './requests.ts';
import { AUDIT_RETENTION, Retention } from './retention.ts';
import { mustFollow } from './revisions.ts';
import { EventStoreDbSnapshots } from './snapshots.ts';
import { subscribe } from './subscription.ts';

/** The server's default limit of one append, counted over the data of its events alone. */
const MAX_APPEND_BYTES = 1_048_576;
/** How long the beginning of a read may take: a server that reads from its disk is slower than one that writes to it. */
const READ_TIMEOUT_MS = 10_000;
/** What the server takes as one gRPC message. */
const MAX_MESSAGE_BYTES = 16_767_216;

/**
 * Streams in EventStoreDB or KurrentDB, one node or a cluster. Several processes may append to one stream: every append carries
 * the exact revision that it expects. An append that the server has not answered definitely is `unknown`; the identical batch
 * at the identical revision may then be tried until it is.
 */
export class EventStoreDbStore implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore;
  readonly #connection: Connection;
  readonly #appender: Appender;
  readonly #reader: Reader;
  readonly #retention: Retention;
  readonly #logger: Logger;
  readonly #readOnly: boolean;
  readonly #closing = new AbortController();

  /** Connects with the first call. Throws INVALID_CONFIG for a URL that is not allowed. */
  constructor(url: string, options: OpenStoreOptions = {}) {
    const { readOnly = false, logger = SILENT, auditRetention = AUDIT_RETENTION } = options;
    const parsed = parseStoreUrl(url);
    const { shown, timeoutMs } = parsed;
    this.traits = { durable: true, shared: true, maxAppendEvents: 4_096, maxAppendBytes: MAX_APPEND_BYTES, url: shown };
    this.#logger = logger;
    this.#readOnly = readOnly;
    const connection = new Connection(parsed, !readOnly, logger);
    this.#connection = connection;
    this.#appender = new Appender(connection, timeoutMs);
    const { signal: closed } = this.#closing;
    setMaxListeners(0, closed); // each read is one
    this.#reader = new Reader({ connection, shown, firstMs: Math.max(timeoutMs, READ_TIMEOUT_MS), timeoutMs, closed });
    const metadata = new MetadataStreams(this.#appender, this.#reader);
    this.#retention = new Retention(metadata, auditRetention, logger);
    this.snapshots = new EventStoreDbSnapshots(this.#appender, this.#reader, metadata, { readOnly, logger });
  }

  async append(stream: string, events: readonly NewEvent[], expectedRevision: number): Promise<AppendResult> {
    const { signal } = this.#closing;
    if (signal.aborted) return { outcome: 'failed', retryable: false, cause: signal.reason };
    if (this.#readOnly) return { outcome: 'failed', retryable: false, cause: readOnlyError(this.traits.url) };
    const refusal = refuseBatch(stream, events, expectedRevision, this.traits);
    if (refusal !== undefined) return refusal;
    const encoded = encodeAll(events);
    if ('outcome' in encoded) return encoded;
    const answer = await this.#appender.append(stream, encoded, expectedRevision);
    if (answer.kind === 'success') this.#retention.appendedTo(stream);
    return this.#resultOf(answer, stream, events, expectedRevision);
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncGenerator<readonly RecordedEvent[]> {
    const { from, direction, limit } = checkedRange(options);
    if (limit === 0) return;
    const request =
      direction === 'forward' ? readForwards(stream, from ?? 0, limit) : readBackwards(stream, from ?? 'end', limit);
    let next = from ?? 0;
    for await (const page of this.#reader.pages(request, decodeLifted, options.signal)) {
      if (direction === 'forward') next = mustFollow(stream, page, next);
      yield page;
    }
  }

  /** The pools' streams: others on the same server, and the server's own, are not asked for. */
  readAll(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<readonly RecordedEvent[]> {
    return this.#reader.pages(readAllOf('pool-'), decodeLifted, options.signal, this.#reader.searchPatience);
  }

  subscribe(stream: string, options: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    return subscribe(stream, options, { reader: this.#reader, logger: this.#logger, pause });
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(closedError(this.traits.url));
    await this.#connection.close();
  }

  /**
   * `wrongRevision` is a conflict unless the identical batch stands there already. A success at another place than the one
   * asked for can only be in a stream that was deleted: its revisions go on where they were.
   */
  async #resultOf(
    answer: Answer,
    stream: string,
    events: readonly NewEvent[],
    expected: number,
  ): Promise<AppendResult> {
    const end = expected + events.length;
    switch (answer.kind) {
      case 'success': {
        if (answer.revision === end) return { outcome: 'appended', revision: end };
        const cause = damagedAt(stream, 0, `it was deleted, and goes on at revision ${answer.revision}`);
        return { outcome: 'failed', retryable: false, cause };
      }
      case 'wrongRevision':
        if (answer.revision < end) return { outcome: 'conflict', revision: answer.revision };
        return this.#standsThere(stream, events, expected).then(
          (there) =>
            there ? { outcome: 'appended', revision: end } : { outcome: 'conflict', revision: answer.revision },
          (cause: unknown) => ({ outcome: 'unknown', cause }),
        );
      case 'refused':
        return { outcome: 'failed', cause: answer.cause, retryable: answer.retryable };
      case 'unknown':
        return { outcome: 'unknown', cause: answer.cause };
    }
  }

  async #standsThere(stream: string, events: readonly NewEvent[], expected: number): Promise<boolean> {
    const request = readForwards(stream, expected + 1, events.length);
    let at = 0;
    for await (const ids of this.#reader.pages(request, (message) => message.getId()!.getString()))
      for (const id of ids) if (id !== events[at++]?.id) return false;
    return at === events.length;
  }
}

const readOnlyError = (url: string): PoolError => new PoolError('LOG_UNAVAILABLE', `${url} is opened to be read`);

/** What is too large, or has no JSON after all, is refused before anything is sent. */
function encodeAll(events: readonly NewEvent[]): readonly Encoded[] | Extract<AppendResult, { outcome: 'failed' }> {
  try {
    const encoded = events.map(encodeEvent);
    return refuseSize(encoded) ?? encoded;
  } catch (cause) {
    return { outcome: 'failed', retryable: false, cause };
  }
}

function refuseSize(encoded: readonly Encoded[]) {
  let [data, message] = [0, 0];
  for (const { dataBytes, messageBytes } of encoded) {
    data += dataBytes;
    message += messageBytes;
  }
  if (data > MAX_APPEND_BYTES)
    return refused(
      `events: ${data} bytes of data are not allowed; allowed: at most ${MAX_APPEND_BYTES} in one append`,
      'events',
    );
  if (message > MAX_MESSAGE_BYTES)
    return refused(
      `events: a message of ${message} bytes is not allowed; allowed: at most ${MAX_MESSAGE_BYTES}`,
      'events',
    );
  return undefined;
}
