import type { Clock } from '../model/clock.ts';
import type { AppendResult, EventStore } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';
import type { RepeatedFailure } from '../model/repeated-failure.ts';
import { backoffMs, type Jitter, sleep } from '../time/backoff.ts';

export interface UnknownLimits {
  /** How long callers wait for a log that is away; then they are told OUTCOME_UNKNOWN, or LOG_UNAVAILABLE if nothing was sent. */
  readonly patienceMs: number;
  /** After this the identical batch is given up: a barrier takes its place. */
  readonly giveUpMs: number;
  /** How long a closing manager tries to place the barrier. */
  readonly closeMs: number;
}

export const UNKNOWN_LIMITS: UnknownLimits = { patienceMs: 2_000, giveUpMs: 30_000, closeMs: 2_000 };

export interface UnknownOptions {
  readonly store: EventStore;
  readonly stream: string;
  readonly clock: Clock;
  readonly jitter: Jitter;
  /** Of appends whose outcome is not known, over one or many of them. */
  readonly failure: RepeatedFailure;
  readonly barrier: () => NewEvent;
  readonly limits: UnknownLimits;
  readonly closing: AbortSignal;
  readonly appendEnded: (ok: boolean, durationMs: number) => void;
}

interface Doubtful {
  readonly events: readonly NewEvent[];
  readonly expectedRevision: number;
}

/**
 * What became of the batch. `applied`: it stands in the log. `never`: something else stands where it would have been, so it
 * can never land. `abandoned`: the manager closed without an answer, or the store records nothing any more; whoever opens the log next
 * finds out.
 */
export type Certainty = 'applied' | 'never' | 'abandoned';

/**
 * Retries the identical batch at the identical revision until the answer is definite (RELIABILITY, "Append, outcome unknown").
 * Reading and not finding it would prove nothing, since it can still land; only an event at that revision ends the doubt.
 * A definite failure of a retry says nothing of the first try, so it is no answer either.
 */
export async function resolveUnknown(batch: Doubtful, options: UnknownOptions): Promise<Certainty> {
  const { clock, limits, closing, jitter } = options;
  const sinceMs = clock.monotonic();
  for (let attempt = 1; ; attempt++) {
    await sleep(clock, backoffMs(attempt, 5, 1_000, jitter), closing);
    if (options.store.condition?.poison !== undefined) return 'abandoned';
    const giveUp = closing.aborted || clock.monotonic() - sinceMs >= limits.giveUpMs;
    const certainty = await tryAgain(batch, giveUp ? [options.barrier()] : batch.events, options);
    if (certainty !== undefined) return certainty;
    if (closing.aborted && (await outOfTime(options, attempt))) return 'abandoned';
  }
}

/** A closing manager makes a few more tries within `closeMs`. */
async function outOfTime({ clock, limits }: UnknownOptions, attempt: number): Promise<boolean> {
  await sleep(clock, limits.closeMs / 20);
  return attempt >= 20;
}

async function tryAgain(
  batch: Doubtful,
  events: readonly NewEvent[],
  options: UnknownOptions,
): Promise<Certainty | undefined> {
  const { store, stream, clock, failure } = options;
  const startedMs = clock.monotonic();
  const result = await append(store, stream, events, batch.expectedRevision);
  const retried = events === batch.events;
  if (result.outcome === 'appended') {
    options.appendEnded(true, clock.monotonic() - startedMs);
    return retried ? 'applied' : 'never';
  }
  if (result.outcome === 'conflict') return whoseIsIt(batch, options);
  options.appendEnded(false, clock.monotonic() - startedMs);
  failure.failed(result.cause, { revision: batch.expectedRevision });
  return undefined;
}

async function append(store: EventStore, stream: string, events: readonly NewEvent[], expected: number) {
  try {
    return await store.append(stream, events, expected);
  } catch (cause) {
    return { outcome: 'unknown', cause } as AppendResult & { outcome: 'unknown' };
  }
}

/** Something stands at the batch's place: its own first event, or another writer's (or the barrier). */
async function whoseIsIt(batch: Doubtful, { store, stream, failure }: UnknownOptions): Promise<Certainty | undefined> {
  try {
    for await (const events of store.read(stream, { from: batch.expectedRevision + 1, limit: 1 })) {
      if (events[0] !== undefined) return events[0].id === batch.events[0]!.id ? 'applied' : 'never';
    }
  } catch (error) {
    failure.failed(error, { revision: batch.expectedRevision });
  }
  return undefined;
}
