import { DamagedLogError } from '../errors.ts';

/** From `position` on the events are of `stream`, and their revisions count up from `revision`. */
export type Run = readonly [position: number, stream: string, revision: number];

/** An unbroken range of positions, both included. */
export type Span = readonly [first: number, last: number];

interface StreamRuns {
  /** Of the first event of each run, ascending. */
  readonly positions: number[];
  readonly revisions: number[];
  /** How many events the stream has in the runs that have ended. */
  count: number;
}

const NONE: Run = [0, '', 0];
const NO_RUNS: StreamRuns = { positions: [], revisions: [], count: 0 };

/**
 * Where the events of each stream lie. Events lie in the order of their commits, and those of one stream mostly beside each
 * other, so it is enough to know where each run begins; an index would name every event, and cost every append a page.
 */
export class Runs {
  readonly #path: string;
  readonly #streams = new Map<string, StreamRuns>();
  /** The run that the log ends with. */
  #last = NONE;
  #end = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The position of the last event; 0 if there is none. Positions count from 1 without a gap. */
  get end(): number {
    return this.#end;
  }

  /** Of the first event of the last run; 0 if there is none. */
  get lastPosition(): number {
    return this.#last[0];
  }

  get streams(): Iterable<string> {
    return this.#streams.keys();
  }

  /** The run that the next event of `stream` would begin; undefined if it would go on with the last one. */
  next(stream: string): Run | undefined {
    return this.#last[1] === stream ? undefined : [this.#end + 1, stream, this.#streams.get(stream)?.count ?? 0];
  }

  /** The log has come to `end`, and these runs have begun. Throws DamagedLogError if they do not follow on what is known. */
  grow(runs: readonly Run[], end: number): void {
    for (const run of runs) this.#begin(run);
    if (end < Math.max(this.#end, this.#last[0]) || (end > 0 && this.#last === NONE))
      throw this.#damaged(
        `it ends at position ${end}; it had come to ${this.#end}, and its last run to ${this.#last[0]}`,
      );
    this.#end = end;
  }

  /** The last revision of `stream`; -1 if it has none. */
  lastRevision(stream: string): number {
    const [position, last, revision] = this.#last;
    if (last === stream) return revision + this.#end - position;
    return (this.#streams.get(stream)?.count ?? 0) - 1;
  }

  /** Where the revisions from `first` to `last` lie, both included, ascending; as far as they are there. */
  *spans(stream: string, first: number, last: number): Generator<Span> {
    const { positions, revisions } = this.#streams.get(stream) ?? NO_RUNS;
    for (let i = lastAtMost(revisions, first); i < revisions.length && revisions[i]! <= last; i++) {
      const shift = positions[i]! - revisions[i]!;
      const end = Math.min(last, (revisions[i + 1] ?? Number.POSITIVE_INFINITY) - 1);
      yield [shift + Math.max(first, revisions[i]!), shift + end];
    }
  }

  /** What lies at a position, by the run that it is in. */
  at(position: number): Run {
    const runs = Array.from(this.#streams, ([stream, { positions, revisions }]): Run => {
      const i = lastAtMost(positions, position);
      return [positions[i]!, stream, revisions[i]!];
    });
    const [first, stream, revision] = runs.filter(([start]) => start <= position).sort(([a], [b]) => b - a)[0] ?? NONE;
    return [position, stream, revision + position - first];
  }

  #begin(run: Run): void {
    const [position, stream, revision] = run;
    const [before, ended] = this.#last;
    if (this.#last !== NONE) this.#streams.get(ended)!.count += position - before;
    const runs = this.#streams.get(stream) ?? { positions: [], revisions: [], count: 0 };
    const follows = this.#last === NONE ? position === 1 : position > before && stream !== ended;
    if (!follows || revision !== runs.count)
      throw this.#damaged(`the run at position ${position} (${stream}, revision ${revision}) does not follow`);
    runs.positions.push(position);
    runs.revisions.push(revision);
    this.#streams.set(stream, runs);
    this.#last = run;
  }

  #damaged(what: string): DamagedLogError {
    return new DamagedLogError(this.#path, what);
  }
}

/** The index of the last of the ascending values that is at most `value`. The first one is. */
function lastAtMost(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (ascending[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
