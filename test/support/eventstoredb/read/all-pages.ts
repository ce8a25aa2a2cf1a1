import type { EventLog } from '../log/event-log.ts';
import { at, endPosition, indexAt, isBefore, lastPosition, type Position } from '../log/positions.ts';
import type { LogRecord } from '../log/record.ts';
import type { Filter } from './filter.ts';

/** How much of $all one page may take: events it gives, and events it looks at (the window of a filter). */
export interface PageLimits {
  readonly count: number;
  readonly window: number;
}

export interface AllPage {
  readonly records: readonly LogRecord[];
  /** Where the page began, as asked; where the next one begins. */
  readonly current: Position;
  readonly next: Position;
  readonly isEnd: boolean;
  readonly consideredCount: number;
}

/** `InvalidPosition`: no record begins there. `Error`: beyond the end, which only a backward read minds. */
export type AllFailure = 'InvalidPosition' | 'Error';

/** From `from` on, inclusive, upwards. */
export function allForward(log: EventLog, from: Position, filter: Filter, limits: PageLimits): AllPage | AllFailure {
  const current = resolved(log, from);
  if (current.commit < 0 || current.prepare < 0) return 'InvalidPosition';
  const page = new PageBuilder(current, filter, limits);
  if (current.commit > lastPosition(log)) return page.isOpen ? page.end() : page.more();
  let index = indexAt(log, current.commit);
  if (index === undefined) return 'InvalidPosition';
  for (; page.isOpen; index++) {
    if (index >= log.size) return page.end();
    const record = log.recordAt(index);
    page.consider(record, { commit: record.endPosition, prepare: 0 });
  }
  return page.more();
}

/** From `from` on, exclusive, downwards. */
export function allBackward(log: EventLog, from: Position, filter: Filter, limits: PageLimits): AllPage | AllFailure {
  const current = resolved(log, from);
  if (current.commit < 0 || current.prepare < 0) return 'InvalidPosition';
  const page = new PageBuilder(current, filter, limits);
  if (!page.isOpen) return page.more();
  if (current.commit > endPosition(log)) return 'Error';
  let index = indexAt(log, current.commit);
  if (index === undefined) return 'InvalidPosition';
  while (page.isOpen) {
    if (--index < 0) return page.end();
    const record = log.recordAt(index);
    if (!isBefore(current, at(record.endPosition))) page.consider(record, at(record.position));
  }
  return page.more();
}

/** -1 in both halves stands for the end of the log. */
const resolved = (log: EventLog, position: Position): Position =>
  position.commit === -1 && position.prepare === -1 ? at(endPosition(log)) : position;

class PageBuilder {
  readonly #current: Position;
  readonly #filter: Filter;
  readonly #limits: PageLimits;
  readonly #records: LogRecord[] = [];
  #next: Position;
  #consideredCount = 0;

  constructor(current: Position, filter: Filter, limits: PageLimits) {
    this.#current = current;
    this.#next = current;
    this.#filter = filter;
    this.#limits = limits;
  }

  get isOpen(): boolean {
    return this.#records.length < this.#limits.count && this.#consideredCount < this.#limits.window;
  }

  consider(record: LogRecord, next: Position): void {
    if (record.kind === 'none') return;
    this.#consideredCount++;
    if (this.#filter(record)) this.#records.push(record);
    this.#next = next;
  }

  end(): AllPage {
    return this.#page(true);
  }

  more(): AllPage {
    return this.#page(false);
  }

  #page(isEnd: boolean): AllPage {
    return {
      records: this.#records,
      current: this.#current,
      next: this.#next,
      isEnd,
      consideredCount: this.#consideredCount,
    };
  }
}
