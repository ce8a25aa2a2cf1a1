import type { Row } from '../codec.ts';
import type { Runs } from './runs.ts';
import type { FileIdentity } from './schema.ts';

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

/** Read first, where rows may be large: how many more fit is guessed by them. */
const FIRST_ROWS = 16;

/** As `rows`, but no further than the row with which they have `maxChars` of text, UTF-16 units. */
export function rowsWithin(log: Pick<LogRows, 'rows'>, first: number, last: number, maxChars: number): Row[] {
  const rows = log.rows(first, Math.min(last, first + FIRST_ROWS - 1));
  let chars = charsOf(rows);
  for (let next = first + FIRST_ROWS; rows.length > 0 && next <= last && chars < maxChars; ) {
    const fitting = Math.max(1, Math.floor((maxChars - chars) / Math.max(1, chars / rows.length)));
    const end = Math.min(last, next + fitting - 1);
    const more = log.rows(next, end);
    rows.push(...more);
    chars += charsOf(more);
    next = end + 1;
  }
  return chars <= maxChars ? rows : rows.slice(0, endWithin(rows, maxChars));
}

/** How much text the events of rows are, UTF-16 units; a rotten row may hold no text. */
export function charsOf(rows: readonly Row[]): number {
  let chars = 0;
  for (const [, event] of rows) chars += typeof event === 'string' ? event.length : 0;
  return chars;
}

/** How many of the rows there are up to the one with which they have `maxChars`. */
function endWithin(rows: readonly Row[], maxChars: number): number {
  let end = 0;
  for (let left = maxChars; left > 0; end++) left -= charsOf(rows.slice(end, end + 1));
  return end;
}
