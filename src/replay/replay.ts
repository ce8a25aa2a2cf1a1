import { evolve } from '../domain/evolve.ts';
import { canonicalState } from '../domain/snapshot.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { canonicalJson } from '../model/values/canonical.ts';
import { createProjections } from '../projections/all.ts';
import type { EventSource } from '../projections/event-page.ts';
import { fold } from '../projections/fold.ts';
import type { Projection } from '../projections/projection.ts';

export interface ReplayOptions {
  /** First and last revision to replay, inclusive; default the whole log. What lies before `from` is folded into the state only. */
  readonly from?: number;
  readonly to?: number;
  /** After each page: the revision reached, and how many events have been replayed. */
  readonly onProgress?: (progress: { readonly revision: number; readonly events: number }) => void;
}

export interface Replayed {
  /** Of the last event; -1 if the log is empty. */
  readonly revision: number;
  readonly events: number;
  /** Canonical JSON (RFC 8785) of the state: equal at equal revisions, whoever folds it. */
  readonly canonical: string;
  /** The same of each projection, by name. */
  readonly projections: Readonly<Record<string, string>>;
}

/** Folds a log again and rebuilds every projection from it. Throws NOT_FOUND for revisions that are not there. */
export async function replay(
  source: EventSource<RecordedPoolEvent>,
  { from = 0, to, onProgress = () => {} }: ReplayOptions = {},
): Promise<Replayed> {
  const projections: readonly Projection[] = Object.values(createProjections());
  const state = emptyState();
  if (from > 0) await foldUpTo(state, source, from - 1);
  let events = 0;
  for await (const page of source(from, to ?? Number.MAX_SAFE_INTEGER)) {
    fold(state, projections, page);
    events += page.length;
    onProgress({ revision: state.revision, events });
  }
  if (to !== undefined) mustStandAt(state, to);
  const saved = projections.map((projection) => [projection.name, canonicalJson(projection.save())]);
  return { revision: state.revision, events, canonical: canonicalState(state), projections: Object.fromEntries(saved) };
}

async function foldUpTo(state: PoolState, source: EventSource<RecordedPoolEvent>, revision: number): Promise<void> {
  for await (const page of source(0, revision)) for (const event of page) evolve(state, event);
  mustStandAt(state, revision);
}

function mustStandAt(state: PoolState, revision: number): void {
  if (state.revision === revision) return;
  throw new PoolError('NOT_FOUND', `there is no revision ${revision} yet; the last is ${state.revision}`, {
    details: { revision },
  });
}
