import type { PoolService } from '../manager/service.ts';
import { Lifetime } from './lifetime.ts';
import type { Limits } from './options.ts';
import { ReaderBudget } from './readers/reader-budget.ts';
import { Seats } from './readers/seats.ts';
import { Pace } from './readers/slices.ts';

/** What the routes of one server share: who holds a connection, and what readers may hold and do at once. */
export interface Door {
  readonly limits: Limits;
  readonly lifetime: Lifetime;
  readonly budget: ReaderBudget;
  /** Reads of the log that are answered as a whole. */
  readonly longReads: Seats;
  /** Streams and exports while they read history. They wait to be let in, and hold up no one who does not. */
  readonly catchUps: Seats;
  /** One piece of history at a time, whoever reads it, and the loop turns in between. */
  readonly pace: Pace;
}

export const doorTo = (service: Pick<PoolService, 'overload'>, limits: Limits): Door => ({
  limits,
  lifetime: new Lifetime(limits.streams),
  budget: new ReaderBudget(() => service.overload().readerBytes),
  longReads: new Seats(() => service.overload().longReads),
  catchUps: new Seats(() => service.overload().longReads),
  pace: new Pace(),
});
