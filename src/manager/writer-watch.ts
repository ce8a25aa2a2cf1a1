import type { PoolState } from '../domain/state.ts';
import type { Clock } from '../model/clock.ts';
import type { CommandData } from '../model/commands.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { standsAlone } from '../model/request.ts';
import type { Jitter } from './backoff.ts';

/** How writers of one pool know of each other's ends, ms. */
export interface WriterLimits {
  /** A writer at which callers wait records at least so often that it is there. */
  readonly seenMs: number;
  /** One that callers wait at and that has recorded nothing for so long counts as gone. */
  readonly lostMs: number;
}

export const WRITER_LIMITS: WriterLimits = { seenMs: 5_000, lostMs: 20_000 };

export interface WriterWatchOptions {
  readonly writerId: string;
  readonly clock: Clock;
  readonly jitter: Jitter;
  readonly state: PoolState;
  readonly limits: WriterLimits;
  readonly mark: (data: CommandData['MarkWriter']) => void;
  /** `stale`: asked just before it is decided, on everything that is known by then. */
  readonly cancel: (data: CommandData['CancelOrphans'], stale: () => boolean) => void;
}

/** Requests that one command cancels at most: what it causes must fit one append. */
const CHUNK = 64;

/**
 * Callers wait at a process, and a process may die without a word. So a writer at which callers wait shows itself in the log, and
 * the others take its requests back once it has been silent for too long. Whether it was is judged on the log alone: the
 * cancellation is appended at the log's very end, or not at all. A writer that was wrongly given up was cut off from the log
 * for all that time; its callers are told CANCELLED when it hears of it.
 */
export class WriterWatch {
  readonly #options: WriterWatchOptions;
  /** When each writer was last heard of, monotonic ms. */
  readonly #heardMs = new Map<string, number>();
  #lookedMs: number;
  #cancelTimer: () => void = () => undefined;

  constructor(options: WriterWatchOptions) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonic();
  }

  start(): void {
    this.#lookedMs = this.#options.clock.monotonic();
    this.#lookLater();
  }

  stop(): void {
    this.#cancelTimer();
  }

  follow(event: RecordedPoolEvent, nowMs: number): void {
    const writerId = (event.data as { readonly writerId?: string }).writerId;
    if (writerId !== undefined) this.#heardMs.set(writerId, nowMs);
  }

  #lookLater(): void {
    const { clock, jitter, limits } = this.#options;
    this.#cancelTimer = clock.schedule(limits.seenMs * (0.4 + 0.2 * jitter()), () => {
      this.#lookLater();
      this.#look();
    });
  }

  /** Who was stalled heard nobody meanwhile: everyone's silence begins anew. */
  #look(): void {
    const { clock, limits, writerId } = this.#options;
    const nowMs = clock.monotonic();
    if (nowMs - this.#lookedMs > limits.seenMs) this.#heardMs.clear();
    this.#lookedMs = nowMs;
    const waiting = this.#waitingByWriter();
    for (const [writer, leaseIds] of waiting) {
      const heardMs = this.#heardMs.get(writer);
      if (heardMs === undefined) this.#heardMs.set(writer, nowMs);
      else if (writer === writerId) this.#show(nowMs - heardMs);
      else if (nowMs - heardMs >= limits.lostMs) this.#giveUp(writer, heardMs, leaseIds);
    }
    for (const writer of this.#heardMs.keys()) if (!waiting.has(writer)) this.#heardMs.delete(writer);
  }

  #waitingByWriter(): ReadonlyMap<string, readonly string[]> {
    const byWriter = new Map<string, string[]>();
    for (const { leaseId, request, writerId } of this.#options.state.arrivals) {
      if (standsAlone(request)) continue;
      const known = byWriter.get(writerId);
      if (known === undefined) byWriter.set(writerId, [leaseId]);
      else known.push(leaseId);
    }
    return byWriter;
  }

  #show(silentMs: number): void {
    const { limits, mark, writerId } = this.#options;
    if (silentMs >= limits.seenMs) mark({ writerId });
  }

  #giveUp(writer: string, heardMs: number, leaseIds: readonly string[]): void {
    const stale = () => this.#heardMs.get(writer) !== heardMs;
    for (const chunk of chunks(leaseIds)) this.#options.cancel({ leaseIds: chunk, reason: 'writerGone' }, stale);
  }
}

function* chunks(leaseIds: readonly string[]): Iterable<readonly string[]> {
  for (let i = 0; i < leaseIds.length; i += CHUNK) yield leaseIds.slice(i, i + CHUNK);
}

/** Waiters of an earlier life of this writer have lost their callers. */
export function orphansOf(state: PoolState, writerId: string): readonly (readonly string[])[] {
  const lost = [...state.arrivals].filter((waiter) => waiter.writerId === writerId && !standsAlone(waiter.request));
  return [...chunks(lost.map(({ leaseId }) => leaseId))];
}
