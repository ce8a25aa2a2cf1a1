import { sha256 } from '../eventstore/sha256.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { EventSource } from '../projections/event-page.ts';
import { type ReplayOptions, replay } from '../replay/replay.ts';

export interface ReplayProgress {
  readonly events: number;
  readonly total: number;
}

export interface Replayed {
  readonly revision: number;
  /** Those that were replayed: from `from` on. */
  readonly events: number;
  /** SHA-256 of the canonical JSON of the state at that revision. */
  readonly sha256: string;
}

export interface ReplayRange extends Pick<ReplayOptions, 'from' | 'to'> {
  /** Replay it a second time, and compare the state and every projection. */
  readonly verify?: boolean;
  readonly onProgress?: (progress: ReplayProgress) => void;
}

/**
 * Folds the log anew and rebuilds every projection. `head`: its last revision. Throws NOT_FOUND for a revision that is not
 * there, INTERNAL if two replays differ.
 */
export async function replayLog(
  source: EventSource<RecordedPoolEvent>,
  head: number,
  { verify = false, onProgress = () => {}, ...range }: ReplayRange = {},
): Promise<Replayed> {
  // To the end as it is now: a log that grows meanwhile is the same twice.
  const to = range.to ?? (head < 0 ? undefined : head);
  const total = (Math.min(to ?? -1, head) - (range.from ?? 0) + 1) * (verify ? 2 : 1);
  const once = (before: number) =>
    replay(source, {
      ...range,
      ...(to !== undefined && { to }),
      onProgress: ({ events }) => onProgress({ events: before + events, total }),
    });
  const first = await once(0);
  if (verify) mustEqual(first, await once(first.events));
  return { revision: first.revision, events: first.events, sha256: sha256(first.canonical) };
}

type Whole = Awaited<ReturnType<typeof replay>>;

function mustEqual(first: Whole, second: Whole): void {
  const differs =
    first.canonical === second.canonical
      ? Object.keys(first.projections).find((name) => first.projections[name] !== second.projections[name])
      : 'the state';
  if (differs === undefined) return;
  throw new PoolError('INTERNAL', `two replays to revision ${first.revision} differ in ${differs}`);
}
