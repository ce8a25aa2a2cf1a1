import type { Row } from './codec.ts';
import type { Runs } from './runs.ts';
import type { FileIdentity } from './sqlite-schema.ts';

/** The rows of a log as they are read: through sqlite, or from the pages themselves. */
export interface LogRows {
  readonly identity: FileIdentity;
  readonly runs: Runs;
  /** The rows at the positions from `first` to `last`, both included, as far as they are there. */
  rows(first: number, last: number): Row[];
  /** Takes in what has been written since the last look. Throws DamagedLogError. */
  look(): void;
  /** What `work` reads is of one moment, whatever a writer beside does. */
  atOneMoment<T>(work: () => T): T;
  /** Reads every page, and compares the runs with their events. Throws DamagedLogError. */
  checkWhole(): void;
  close(): void;
}
