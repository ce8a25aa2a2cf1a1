import type { Clock } from '../model/clock.ts';
import type { EventStore } from '../model/event-store.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { Logger } from '../model/interfaces.ts';
import { backoffMs, type Jitter, sleep } from './backoff.ts';
import type { Engine } from './engine.ts';

export interface FollowOptions {
  readonly store: EventStore;
  readonly stream: string;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** Feeds other writers' events into the engine as they are committed, until `signal` aborts; a subscription that ends is begun again. */
export async function followLog({
  store,
  stream,
  engine,
  clock,
  jitter,
  logger,
  signal,
}: FollowOptions): Promise<void> {
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      for await (const item of store.subscribe(stream, { from: engine.committedRevision + 1, signal })) {
        attempt = 1;
        if ('events' in item) engine.learn(item.events as readonly RecordedPoolEvent[]);
      }
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ err: error, attempt }, 'the log can not be followed for now');
    }
    await sleep(clock, backoffMs(attempt, 20, 2_000, jitter), signal);
  }
}
