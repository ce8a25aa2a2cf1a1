import type { SubscribeOptions, SubscriptionItem } from '../model/event-store.ts';
import type { RecordedEvent } from '../model/events.ts';

/** Wakes those who wait for a stream to grow. They read for themselves, so a slow one holds nothing up and buffers nothing. */
export class Wakers {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Whether anybody waits at all: an append asks this first. */
  get any(): boolean {
    return this.#waiting.size > 0;
  }

  wake(stream: string): void {
    const waiting = this.#waiting.get(stream);
    if (waiting === undefined) return;
    this.#waiting.delete(stream);
    for (const run of waiting) run();
  }

  wakeAll(): void {
    for (const stream of [...this.#waiting.keys()]) this.wake(stream);
  }

  /** Until the next `wake` of `stream`, or until `signal` aborts. */
  wait(stream: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(stream) ?? new Set();
      this.#waiting.set(stream, waiting);
      const done = () => {
        signal?.removeEventListener('abort', done);
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(stream) === waiting) this.#waiting.delete(stream);
        resolve();
      };
      waiting.add(done);
      signal?.addEventListener('abort', done);
      if (signal?.aborted) done();
    });
  }
}

export interface Followed {
  /** At most `limit` events from revision `from` on. */
  readonly page: (from: number, limit: number) => readonly RecordedEvent[];
  /** Resolves when there may be more, or it is time to end. Called in the same turn that found a page empty. */
  readonly grown: () => Promise<void>;
  readonly ended: () => boolean;
  readonly pageEvents: number;
}

/**
 * History, then what comes, by position: each page begins where the last one ended, so that nothing is missed or doubled
 * whatever is appended meanwhile. A full page means that the reader is behind; when it has caught up again it is told so.
 */
export async function* follow(source: Followed, options: SubscribeOptions): AsyncGenerator<SubscriptionItem> {
  let next = options.from ?? 0;
  let behind = true;
  while (!source.ended()) {
    const events = source.page(next, source.pageEvents);
    if (events.length > 0) {
      next = events.at(-1)!.revision + 1;
      behind ||= events.length === source.pageEvents;
      yield { events };
    } else if (behind) {
      behind = false;
      yield { caughtUp: true };
    } else {
      await source.grown();
    }
  }
}
