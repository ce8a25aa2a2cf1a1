/**
 * A reading side of a log: a fold of its committed events, and of nothing else. So `rebuild` is `reset` and the same
 * `apply`, and whatever way a projection came to a revision, `save` gives the same value there.
 */
export interface Projection<Event, Before> {
  readonly name: string;
  /** Forgets everything: as before the first event. */
  reset(): void;
  /** Takes the event in. `before` is the pool as it stood before the event; it is read, never changed. */
  apply(event: Event, before: Before): void;
  /** All that it holds, as plain JSON that shares nothing with it that may change: for snapshots, and to compare two folds. */
  save(): unknown;
  /** Goes on from what `save` gave. */
  load(saved: unknown): void;
}
