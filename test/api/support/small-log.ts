import type { RecordedPoolEvent } from '../../../src/model/events.ts';
import type { EventFilter, StreamItem } from '../../../src/model/reading.ts';
import { eventAt } from './small-service.ts';

/** A log in memory that counts who follows it, and how much it had to hold for the slowest of them. */
export class SmallLog {
  readonly events: RecordedPoolEvent[] = [];
  readonly opened: number[] = [];
  following = 0;
  #wake = Promise.withResolvers<void>();

  append(count: number, note = ''): void {
    for (let i = 0; i < count; i += 1) this.events.push(eventAt(this.events.length, note));
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  async *follow(filter: EventFilter, signal?: AbortSignal): AsyncGenerator<StreamItem<RecordedPoolEvent>> {
    let next = filter.from ?? 0;
    this.opened.push(next);
    this.following += 1;
    const gone = new Promise<void>((resolve) => {
      if (signal?.aborted === true) resolve();
      signal?.addEventListener('abort', () => resolve(), { once: true });
    });
    try {
      let caughtUp = false;
      while (signal?.aborted !== true && next <= (filter.to ?? Number.POSITIVE_INFINITY)) {
        const event = this.events[next];
        if (event !== undefined) {
          next += 1;
          yield { event };
        } else if (!caughtUp) {
          caughtUp = true;
          yield { caughtUp: true };
        } else await Promise.race([this.#wake.promise, gone]);
      }
    } finally {
      this.following -= 1;
    }
  }
}
