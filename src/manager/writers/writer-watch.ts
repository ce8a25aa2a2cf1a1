import { setImmediate } from 'node:timers/promises';
import type { PoolState, WaitingRecord } from '../../domain/state.ts';
import type { Clock } from '../../model/clock.ts';
import type { CommandData } from '../../model/commands.ts';
import type { RecordedPoolEvent } from '../../model/events.ts';
import { standsAlone } from '../../model/request.ts';
import type { Jitter } from '../../time/backoff.ts';

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
/** Waiters that are looked at in one go, where a writer is given up. */
const LOOKED_AT = 4_096;

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
    const waiting = this.#options.state.arrivals.callers;
    for (const writer of [...waiting.keys()]) {
      const heardMs = this.#heardMs.get(writer);
      if (heardMs === undefined) this.#heardMs.set(writer, nowMs);
      else if (writer === writerId) this.#show(nowMs - heardMs);
      else if (nowMs - heardMs >= limits.lostMs) void this.#giveUp(writer, heardMs);
    }
    for (const writer of this.#heardMs.keys()) if (!waiting.has(writer)) this.#heardMs.delete(writer);
  }

  #show(silentMs: number): void {
    const { limits, mark, writerId } = this.#options;
    if (silentMs >= limits.seenMs) mark({ writerId });
  }

  /** In the order of their coming, the event loop going round in between. Who comes meanwhile is cancelled with the next look. */
  async #giveUp(writer: string, heardMs: number): Promise<void> {
    const { state, cancel } = this.#options;
    const stale = () => this.#heardMs.get(writer) !== heardMs;
    for (let after: number | undefined = -1; after !== undefined && !stale(); ) {
      const part = partAfter(state, after);
      for (const leaseIds of chunks(part.waiters.filter(isLeftBy(writer)).map(({ leaseId }) => leaseId)))
        cancel({ leaseIds, reason: 'writerGone' }, stale);
      after = part.end;
      if (after !== undefined) await setImmediate();
    }
  }
}

/** The next waiters after a revision, and the revision of the last of them if there may be more. */
function partAfter({ arrivals }: PoolState, revision: number) {
  const waiters: WaitingRecord[] = [];
  for (const waiter of arrivals.after(revision)) if (waiters.push(waiter) === LOOKED_AT) break;
  return { waiters, end: waiters.length < LOOKED_AT ? undefined : waiters.at(-1)!.revision };
}

/** Whose caller waits at the writer, if anywhere. */
const isLeftBy =
  (writer: string) =>
  ({ writerId, request }: WaitingRecord): boolean =>
    writerId === writer && !standsAlone(request);

function* chunks(leaseIds: readonly string[]): Iterable<readonly string[]> {
  for (let i = 0; i < leaseIds.length; i += CHUNK) yield leaseIds.slice(i, i + CHUNK);
}

/** Waiters of an earlier life of this writer have lost their callers. */
export function orphansOf(state: PoolState, writerId: string): readonly (readonly string[])[] {
  if (!state.arrivals.callers.has(writerId)) return [];
  const lost = [...state.arrivals].filter(isLeftBy(writerId));
  return [...chunks(lost.map(({ leaseId }) => leaseId))];
}
