import type { EventType, RecordedPoolEvent } from '../model/events.ts';
import { poolStream } from '../model/ids.ts';
import { bindKey } from './evolve/keys.ts';
import {
  foldGranted,
  foldNoticed,
  foldQuarantineEnded,
  foldQuarantineStarted,
  foldReclaimed,
  foldReleased,
  foldRenewed,
} from './evolve/leases.ts';
import {
  foldBreaker,
  foldCapacity,
  foldConfig,
  foldHealth,
  foldOpened,
  foldPoolDrain,
  foldTierMode,
  foldWriter,
} from './evolve/pool.ts';
import { foldCancelled, foldExpired, foldQueued } from './evolve/requests.ts';
import { ImpossibleHistory } from './impossible.ts';
import type { Journal } from './journal.ts';
import type { PoolState } from './state.ts';

type Fold = (state: PoolState, event: never, journal: Journal | undefined) => void;

const nothing: Fold = () => {};

const FOLDS: Readonly<Record<EventType, Fold>> = {
  PoolOpened: foldOpened,
  ConfigChanged: foldConfig,
  CapacityObserved: foldCapacity,
  WriterStarted: foldWriter,
  WriterSeen: nothing,
  LeaseGranted: foldGranted,
  LeasesRenewed: foldRenewed,
  LeaseReleased: foldReleased,
  LeaseReclaimed: foldReclaimed,
  RevocationNoticed: foldNoticed,
  QuarantineStarted: foldQuarantineStarted,
  QuarantineEnded: foldQuarantineEnded,
  RequestQueued: foldQueued,
  RequestCancelled: foldCancelled,
  RequestExpired: foldExpired,
  TierModeChanged: foldTierMode,
  BreakerModeChanged: foldBreaker,
  HealthChanged: foldHealth,
  ClockGapObserved: nothing,
  PoolDrainStarted: foldPoolDrain,
  PoolDrainEnded: foldPoolDrain,
};

/**
 * The one fold: the engine, recovery, projections and time travel all use it. It reads no clock, decides nothing, and
 * throws ImpossibleHistory on what cannot have happened. `journal` notes what it overwrites, for an undo.
 */
export function evolve(state: PoolState, event: RecordedPoolEvent, journal?: Journal): void {
  if (event.revision !== state.revision + 1)
    throw new ImpossibleHistory(event, `does not follow revision ${state.revision}`);
  if (event.at < state.at) throw new ImpossibleHistory(event, `is dated ${event.at}, before ${state.at}`);
  if (event.stream !== state.stream) opens(state, event);
  try {
    fold(state, event, journal);
    if (event.metadata.key !== undefined) bindKey(state, event, event.metadata.key, journal);
  } catch (error) {
    if (error instanceof RangeError) throw new ImpossibleHistory(event, error.message, error);
    throw error;
  }
  if (journal !== undefined) {
    journal.note(state, 'revision', state.revision);
    journal.note(state, 'at', state.at);
  }
  state.revision = event.revision;
  state.at = event.at;
}

/** Before a pool is opened there may be a writer's barrier; what opens it is of its own stream, and so is all that follows. */
function opens(state: PoolState, event: RecordedPoolEvent): void {
  if (state.stream !== '') throw new ImpossibleHistory(event, `is no event of ${state.stream}`);
  if (event.type === 'WriterStarted') return;
  if (event.type !== 'PoolOpened') throw new ImpossibleHistory(event, 'the pool is not open');
  const stream = poolStream(event.data.poolId);
  if (event.stream !== stream) throw new ImpossibleHistory(event, `opens a pool whose stream is ${stream}`);
}

/** Grants and releases are nearly all of a log: they are told by two comparisons, the rest by a look-up. */
function fold(state: PoolState, event: RecordedPoolEvent, journal: Journal | undefined): void {
  if (event.type === 'LeaseGranted') foldGranted(state, event, journal);
  else if (event.type === 'LeaseReleased') foldReleased(state, event, journal);
  else if (Object.hasOwn(FOLDS, event.type)) FOLDS[event.type](state, event as never, journal);
  else throw new ImpossibleHistory(event, 'unknown type');
}
