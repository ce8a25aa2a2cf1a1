import { isPoolError } from '../../model/errors.ts';
import type { SubscribeOptions, SubscriptionItem } from '../../model/event-store.ts';
import type { RecordedEvent } from '../../model/events.ts';
import type { Logger } from '../../model/interfaces.ts';
import { RepeatedFailure } from '../../model/repeated-failure.ts';
import type { Incoming } from './incoming.ts';
import type { ReadAnswer } from './messages.ts';
import { decodeLifted, ofEvent, type Reader } from './reader.ts';
import { subscribeFrom } from './requests.ts';
import { mustFollow } from './revisions.ts';

export interface SubscriptionContext {
  readonly reader: Reader;
  readonly logger: Logger;
  readonly pause: (attempt: number, signal: AbortSignal) => Promise<void>;
}

/**
 * History, then what comes, over disconnects: the client begins none anew, so each try goes on after the last event that was
 * delivered. The first try must succeed, so that a wrong address is told at once; later ones are repeated until `signal` aborts.
 */
export async function* subscribe(
  stream: string,
  options: SubscribeOptions,
  { reader, logger, pause }: SubscriptionContext,
): AsyncGenerator<SubscriptionItem> {
  const { closed, shown } = reader.options;
  const ends = options.signal === undefined ? closed : AbortSignal.any([closed, options.signal]);
  closed.throwIfAborted();
  const nowMs = () => performance.now();
  const what = 'a subscription was lost; it is begun again';
  const failure = new RepeatedFailure({ logger, nowMs, what, fields: { store: shown, stream } });
  let next = options.from ?? 0;
  let connected = false;
  for (let attempt = 1; !ends.aborted; attempt++) {
    try {
      for await (const item of once(stream, next, reader, ends)) {
        [connected, attempt] = [true, 1];
        failure.ended();
        if ('events' in item) next = item.events.at(-1)!.revision + 1;
        yield item;
      }
    } catch (error) {
      if (ends.aborted) return;
      if (!connected || !isAway(error)) throw error;
      failure.failed(error, { from: next });
    }
    if (!ends.aborted) await pause(attempt, ends);
  }
}

const isAway = (error: unknown): boolean => isPoolError(error) && error.code === 'LOG_UNAVAILABLE';

/** One call, until the server or `ends` ends it. */
async function* once(
  stream: string,
  from: number,
  reader: Reader,
  ends: AbortSignal,
): AsyncGenerator<SubscriptionItem> {
  const decode = (answer: ReadAnswer) => ofEvent(answer, decodeLifted);
  const incoming = reader.open(subscribeFrom(stream, from), decode, reader.subscriptionPatience);
  const stop = () => incoming.cancel();
  ends.addEventListener('abort', stop);
  const tail = new Tail(() => reader.lastRevision(stream), incoming);
  try {
    let next = from;
    tail.ask();
    for (;;) {
      const page = await incoming.take().catch((error: unknown) => reader.throwAs(error));
      if (page === undefined || ends.aborted) return;
      if (page.length > 0) {
        next = mustFollow(stream, page, next);
        yield { events: page };
      }
      if (incoming.overflowed) {
        incoming.overflowed = false;
        tail.ask();
      }
      if (tail.isReached(next)) yield { caughtUp: true };
    }
  } finally {
    ends.removeEventListener('abort', stop);
    incoming.cancel();
  }
}

/**
 * How far the stream went when the reader was behind: what is told is that all of that has been delivered. Asked for at the
 * start and whenever the reader was too slow, since not every server says by itself that one has caught up.
 */
class Tail {
  readonly #lastRevision: () => Promise<number>;
  readonly #incoming: Incoming<RecordedEvent>;
  #asked = 0;
  #last: number | undefined;

  constructor(lastRevision: () => Promise<number>, incoming: Incoming<RecordedEvent>) {
    this.#lastRevision = lastRevision;
    this.#incoming = incoming;
  }

  ask(): void {
    this.#asked += 1;
    const asked = this.#asked;
    this.#last = undefined;
    this.#lastRevision().then(
      (last) => {
        if (asked !== this.#asked) return;
        this.#last = last;
        this.#incoming.wake();
      },
      (error: unknown) => this.#incoming.fail(error),
    );
  }

  /** True once for each time it was asked. */
  isReached(next: number): boolean {
    if (this.#last === undefined || next <= this.#last) return false;
    this.#last = undefined;
    return true;
  }
}
