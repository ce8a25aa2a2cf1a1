import type { Clock } from '../../model/clock.ts';
import type { EventStore } from '../../model/event-store.ts';
import type { RecordedEvent } from '../../model/events.ts';
import type { Logger } from '../../model/interfaces.ts';
import { RepeatedFailure } from '../../model/repeated-failure.ts';
import { backoffMs, type Jitter, sleep } from '../../time/backoff.ts';
import { nextTurn } from '../../time/turn.ts';

export interface FollowOptions {
  readonly store: EventStore;
  readonly stream: string;
  /** The first revision that is not known yet, asked for at each beginning. */
  readonly from: () => number;
  /** Takes in what comes, in order; what is known already may come again. */
  readonly take: (events: readonly RecordedEvent[]) => void;
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Ends when it has caught up: nobody else appends. */
  readonly once: boolean;
}

/** What a bounded history has let go of is missing, and is not asked for. */
const keptFrom = (store: EventStore, stream: string, from: number): number =>
  Math.max(from, store.history?.first(stream) ?? 0);

/** Takes in a stream as it grows, whoever appends, until `signal` aborts; a subscription that ends is begun again. */
export async function followLog({
  store,
  stream,
  clock,
  jitter,
  logger,
  signal,
  ...options
}: FollowOptions): Promise<void> {
  const nowMs = () => clock.monotonic();
  const failure = new RepeatedFailure({
    logger,
    nowMs,
    what: 'the log cannot be followed for now',
    fields: { stream },
  });
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      for await (const item of store.subscribe(stream, { from: keptFrom(store, stream, options.from()), signal })) {
        attempt = 1;
        failure.ended();
        if ('events' in item) options.take(item.events);
        else if (options.once) return;
        await nextTurn(); // history may be long, and of a store in this process it is there at once
      }
    } catch (error) {
      if (signal.aborted) return;
      failure.failed(error);
    }
    await sleep(clock, backoffMs(attempt, 20, 2_000, jitter), signal);
  }
}
