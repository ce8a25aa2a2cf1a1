import { nextBreakerMode } from '../../machines/transitions.ts';
import { BREAKER_CLOSED, type BreakerRecord, recordAfter } from '../breaker/breaker-record.ts';
import { dropEntry, type Journal, put, putEntry } from '../ledger/journal.ts';
import type { PoolState } from '../state.ts';
import type { EventOf } from './event.ts';
import { ImpossibleHistory } from './impossible.ts';

/** Breakers of so many writers are known. Writers come and go under new names for ever; so many at one pool at once do not. */
export const KNOWN_BREAKERS = 64;

/** A breaker of which nothing is known is closed, in whatever generation its writer says. */
export const breakerOf = ({ breakers }: PoolState, writerId: string, generation: number): BreakerRecord =>
  breakers.get(writerId) ?? { ...BREAKER_CLOSED, generation };

export function foldBreaker(
  state: PoolState,
  event: EventOf<'BreakerModeChanged'>,
  journal: Journal | undefined,
): void {
  const { writerId, trigger, from, to, generation } = event.data;
  const before = breakerOf(state, writerId, generation - 1);
  if (before.mode !== from || nextBreakerMode(from, trigger) !== to)
    throw new ImpossibleHistory(event, `${trigger} does not lead from ${before.mode} to ${to}`);
  if (generation !== before.generation + 1 || generation < 1)
    throw new ImpossibleHistory(event, `generation ${generation} does not follow ${before.generation}`);
  const record = recordAfter(event.data);
  if (record === undefined)
    throw new ImpossibleHistory(event, 'a breaker that is open or half-open, and no other, waits until a time');
  putEntry(journal, state.breakers, writerId, { ...record, revision: event.revision });
  if (state.breakers.size > KNOWN_BREAKERS) forgetOldest(state, journal);
  put(journal, state, 'lastWriterId', writerId);
}

/** The one that has not changed for the longest: its writer is gone, or closed for long. */
function forgetOldest({ breakers }: PoolState, journal: Journal | undefined): void {
  let oldest = '';
  let least = Number.POSITIVE_INFINITY;
  for (const [writerId, { revision }] of breakers) {
    if (revision > least) continue;
    least = revision;
    oldest = writerId;
  }
  dropEntry(journal, breakers, oldest);
}
