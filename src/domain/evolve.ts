import type { EventType, RecordedPoolEvent } from '../model/events.ts';
import { poolStream } from '../model/ids.ts';
import { foldBreaker } from './evolve/breakers.ts';
import { ImpossibleHistory } from './evolve/impossible.ts';
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
  foldCapacity,
  foldConfig,
  foldHealth,
  foldOpened,
  foldPoolDrain,
  foldTierMode,
  foldTokenFloor,
  foldWriter,
} from './evolve/pool.ts';
import { foldCancelled, foldExpired, foldQueued } from './evolve/requests.ts';
import type { Journal } from './ledger/journal.ts';
import type { LeaseRecord, PoolState } from './state.ts';

type Fold = (state: PoolState, event: never, journal: Journal | undefined) => void;

const nothing: Fold = () => {};

type Ending = 'LeaseGranted' | 'LeaseReleased' | 'LeaseReclaimed';

const FOLDS: Readonly<Record<Exclude<EventType, Ending>, Fold>> = {
  PoolOpened: foldOpened,
  ConfigChanged: foldConfig,
  CapacityObserved: foldCapacity,
  WriterStarted: foldWriter,
  WriterSeen: nothing,
  LeasesRenewed: foldRenewed,
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
  TokenFloorRaised: foldTokenFloor,
  PoolDrainStarted: foldPoolDrain,
  PoolDrainEnded: foldPoolDrain,
};

/**
 * The one fold: the engine, recovery, projections and time travel all use it. It reads no clock, decides nothing, and
 * throws ImpossibleHistory on what cannot have happened. `journal` notes what it overwrites, for an undo. Answers the lease
 * that the event grants or ends, which is what projections need of the state.
 */
export function evolve(state: PoolState, event: RecordedPoolEvent, journal?: Journal): LeaseRecord | undefined {
  if (event.revision !== state.revision + 1)
    throw new ImpossibleHistory(event, `does not follow revision ${state.revision}`);
  if (event.at < state.at) throw new ImpossibleHistory(event, `is dated ${event.at}, before ${state.at}`);
  if (event.stream !== state.stream) opens(state, event);
  const lease = guarded(state, event, journal);
  if (journal !== undefined) {
    journal.note(state, 'revision', state.revision);
    if (event.at !== state.at) journal.note(state, 'at', state.at);
  }
  state.revision = event.revision;
  state.at = event.at;
  return lease;
}

/** Before a pool is opened there may be a writer's barrier; what opens it is of its own stream, and so is all that follows. */
function opens(state: PoolState, event: RecordedPoolEvent): void {
  if (state.stream !== '') throw new ImpossibleHistory(event, `is no event of ${state.stream}`);
  if (event.type === 'WriterStarted') return;
  if (event.type !== 'PoolOpened') throw new ImpossibleHistory(event, 'the pool is not open');
  const stream = poolStream(event.data.poolId);
  if (event.stream !== stream) throw new ImpossibleHistory(event, `opens a pool whose stream is ${stream}`);
}

function guarded(state: PoolState, event: RecordedPoolEvent, journal: Journal | undefined): LeaseRecord | undefined {
  try {
    const lease = fold(state, event, journal);
    if (event.metadata.key !== undefined) bindKey(state, event, event.metadata.key, journal);
    return lease;
  } catch (error) {
    if (error instanceof RangeError) throw new ImpossibleHistory(event, error.message, error);
    throw error;
  }
}

function fold(state: PoolState, event: RecordedPoolEvent, journal: Journal | undefined): LeaseRecord | undefined {
  if (event.type === 'LeaseGranted') return foldGranted(state, event, journal);
  if (event.type === 'LeaseReleased') return foldReleased(state, event, journal);
  if (event.type === 'LeaseReclaimed') return foldReclaimed(state, event, journal);
  if (!Object.hasOwn(FOLDS, event.type)) throw new ImpossibleHistory(event, 'unknown type');
  FOLDS[event.type](state, event as never, journal);
  return undefined;
}
