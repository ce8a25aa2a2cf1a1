import { Observable } from 'rxjs';
import type { RecordedPoolEvent } from '../model/events.ts';

export type CommittedBatch = readonly RecordedPoolEvent[];
export type CommittedListener = (batch: CommittedBatch) => void;

/**
 * What is committed, told once a batch to everyone who listens, in the order of the log. Without listeners it costs one
 * comparison. A listener that throws takes nothing from the others: the error surfaces as an uncaught one, being a bug.
 */
export class Committed {
  /** Batches as they are committed, from the subscription on; completes with `close`. */
  readonly committed$: Observable<CommittedBatch> = new Observable((subscriber) => {
    if (this.#closed) return subscriber.complete();
    const complete = (): void => subscriber.complete();
    const leave = this.subscribe((batch) => subscriber.next(batch));
    this.#completions.add(complete);
    return () => {
      leave();
      this.#completions.delete(complete);
    };
  });
  /** Replaced, never changed, so that who comes or goes while a batch is told does not disturb the telling. */
  #listeners: readonly CommittedListener[] = [];
  readonly #completions = new Set<() => void>();
  readonly #pending: CommittedBatch[] = [];
  #telling = false;
  #closed = false;

  /** A batch published by a listener is told after the present one, so that all see one order. */
  publish(batch: CommittedBatch): void {
    if (this.#listeners.length === 0 || batch.length === 0) return;
    this.#pending.push(batch);
    if (this.#telling) return;
    this.#telling = true;
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) this.#tell(next);
    this.#telling = false;
  }

  /** The cheap way in; the returned function leaves. */
  subscribe(listener: CommittedListener): () => void {
    const entry: CommittedListener = (batch) => listener(batch);
    this.#listeners = [...this.#listeners, entry];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry);
    };
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
    this.#listeners = [];
    for (const complete of [...this.#completions]) complete();
  }

  #tell(batch: CommittedBatch): void {
    for (const listener of this.#listeners) {
      try {
        listener(batch);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
