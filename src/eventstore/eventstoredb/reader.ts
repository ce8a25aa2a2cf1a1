import type { RecordedEvent } from '../../model/events.ts';
import { DamagedLogError } from '../errors.ts';
import { lift } from '../upcast.ts';
import { decodeEvent } from './codec.ts';
import type { Connection } from './connection/connection.ts';
import { Incoming, type Item, type Patience } from './incoming.ts';
import type { ReadAnswer, ReadRequest, RecordedMessage } from './messages.ts';
import { readError } from './outcome.ts';
import { readBackwards } from './requests.ts';

/** The longest that a timer can hold, ms. */
const LONGEST_MS = 2 ** 31 - 1;

/** Of the time for the first answer of a read: many that are begun at once wait for each other. */
const CONFIRMED_RATIO = 3;

export interface ReaderOptions {
  readonly connection: Connection;
  /** The store's URL without credentials. */
  readonly shown: string;
  /** How long the first answer of a read may take. */
  readonly firstMs: number;
  /** How long a server that answers from memory may take. */
  readonly timeoutMs: number;
  /** Aborted when the store is closed, with the error that whoever reads then is given. */
  readonly closed: AbortSignal;
}

/** Reads as pages of what has come. Leaving a read, by whatever way, cancels its call. */
export class Reader {
  readonly options: ReaderOptions;

  constructor(options: ReaderOptions) {
    this.options = options;
  }

  /** `patience`: by default that of a read. */
  open<T>(
    request: ReadRequest,
    decode: (answer: ReadAnswer) => Item<T> | undefined,
    patience: Patience = this.#readPatience,
  ): Incoming<T> {
    const { connection } = this.options;
    return new Incoming(connection.openRead(request), decode, patience, {
      silent: (call) => connection.silent(call),
      undecided: (call) => connection.undecided(call),
      isAlive: (call) => connection.isAlive(call),
    });
  }

  get #readPatience(): Patience {
    const { firstMs, timeoutMs } = this.options;
    return { firstMs, silentMs: timeoutMs, isLive: false };
  }

  /** The server confirms a subscription, and then says nothing until there is something. Its node is asked meanwhile. */
  get subscriptionPatience(): Patience {
    return { ...this.#readPatience, firstMs: CONFIRMED_RATIO * this.options.firstMs, isLive: true };
  }

  /** Of a read through all of a server's streams: the first that matches may lie far back. */
  get searchPatience(): Patience {
    return { ...this.#readPatience, firstMs: LONGEST_MS };
  }

  async *pages<T>(
    request: ReadRequest,
    decode: (message: RecordedMessage) => T,
    signal?: AbortSignal,
    patience?: Patience,
  ): AsyncGenerator<readonly T[]> {
    const { closed } = this.options;
    const ends = signal === undefined ? closed : AbortSignal.any([closed, signal]);
    ends.throwIfAborted();
    const incoming = this.open(request, (answer) => ofEvent(answer, decode), patience);
    const stop = () => incoming.cancel();
    ends.addEventListener('abort', stop);
    try {
      for (;;) {
        const page = await incoming.take().catch((error: unknown) => this.throwAs(error));
        ends.throwIfAborted();
        if (page === undefined) return;
        if (page.length > 0) yield page;
      }
    } finally {
      ends.removeEventListener('abort', stop);
      incoming.cancel();
    }
  }

  /** The revision of the stream's last event; -1 if there is none. */
  async lastRevision(stream: string): Promise<number> {
    const last = this.pages(readBackwards(stream, 'end', 1), (message) => Number(message.getStreamRevision()));
    for await (const page of last) return page[0] ?? -1;
    return -1;
  }

  throwAs(error: unknown): never {
    if (error instanceof DamagedLogError || (error as Error).name === 'UnknownEventError') throw error;
    throw readError(this.options.shown, error);
  }
}

export function ofEvent<T>(answer: ReadAnswer, decode: (message: RecordedMessage) => T): Item<T> | undefined {
  const message = answer.getEvent()?.getEvent();
  if (message === undefined) return undefined;
  const bytes = message.getData_asU8().length + message.getCustomMetadata_asU8().length;
  return { value: decode(message), bytes };
}

export const decodeLifted = (message: RecordedMessage): RecordedEvent => lift(decodeEvent(message));
