import type { Row } from '../../codec.ts';
import { DamagedLogError } from '../../errors.ts';
import type { LogRows } from '../log-rows.ts';
import { type Run, Runs } from '../runs.ts';
import { type FileIdentity, type IdentityRow, identityFrom, OBJECTS } from '../schema.ts';
import { FIRST_PAGE, headerOf } from './first-page.ts';
import type { Pages } from './pages.ts';
import { Table, type TableRow } from './tree.ts';

/**
 * A log read from its pages, without sqlite and without a trace: what lies on the disk at one moment. For the time before a log
 * is opened, for one that nobody writes, and for one that may not even be opened. Throws DamagedLogError.
 */
export class DiskLog implements LogRows {
  readonly pages: Pages;
  readonly runs: Runs;
  readonly identity: FileIdentity;
  readonly #events: Table;
  readonly #runs: Table;
  readonly #file: Table;
  /** Something lies in the file that others have put there: then not every page is known. */
  readonly #isShared: boolean;

  constructor(pages: Pages) {
    this.pages = pages;
    const { hasFreePages } = headerOf(pages);
    const roots = rootsOf(pages);
    this.#isShared = hasFreePages || roots.others > 0;
    this.#events = new Table(pages, roots.of('events'));
    this.#runs = new Table(pages, roots.of('runs'));
    this.#file = new Table(pages, roots.of('file'));
    this.identity = identityIn(this.#file, pages.path);
    this.runs = new Runs(pages.path);
    this.runs.grow(Array.from(this.#runs.rows(), toRun), this.#events.lastKey());
  }

  /** The position of the last event. */
  get end(): number {
    return this.runs.end;
  }

  rows(first: number, last: number): Row[] {
    return Array.from(this.#events.rows(first, last), toRow);
  }

  /** It is of one moment, and stays so. */
  look(): void {}

  atOneMoment<T>(work: () => T): T {
    return work();
  }

  /** Reads every page, and compares the runs with their events. */
  checkWhole(): void {
    const seen = new Set<number>();
    const visit = (page: number) => {
      if (seen.has(page)) throw this.pages.damaged(page, 'it is reached twice');
      this.pages.page(page);
      seen.add(page);
    };
    new Table(this.pages, FIRST_PAGE).walk(visit);
    for (const table of [this.#events, this.#runs, this.#file]) table.walk(visit);
    if (!this.#isShared && seen.size !== this.pages.count)
      throw new DamagedLogError(this.pages.path, `${this.pages.count - seen.size} of its pages belong to nothing`);
    for (const [position, stream, revision] of Array.from(this.#runs.rows(), toRun)) {
      const [row] = this.rows(position, position);
      const event = row === undefined ? undefined : (parse(row[1]) as { stream?: unknown; revision?: unknown });
      if (event?.stream !== stream || event.revision !== revision)
        throw new DamagedLogError(this.pages.path, `no run begins at position ${position}`);
    }
  }

  close(): void {
    this.pages.close();
  }
}

/** What the file says of itself. Throws DamagedLogError if it is no log of ours, or damaged. */
export function identityOf(pages: Pages): FileIdentity {
  headerOf(pages);
  return identityIn(new Table(pages, rootsOf(pages).of('file')), pages.path);
}

function identityIn(file: Table, path: string): FileIdentity {
  const [row] = [...file.rows(1, 1)];
  const identity = identityFrom(row?.[1].slice(1) as unknown as IdentityRow | undefined);
  if (identity === undefined) throw new DamagedLogError(path, 'what it says of itself is not what was written');
  return identity;
}

/** Where the tables begin, by what the file's first page says they are. */
function rootsOf(pages: Pages): { of(name: string): number; readonly others: number } {
  const found = new Map<unknown, number>();
  let others = 0;
  for (const [, [, name, , root, sql]] of new Table(pages, FIRST_PAGE).rows()) {
    if (OBJECTS.some((object) => object.name === name && object.sql === sql)) found.set(name, root as number);
    else others += 1;
  }
  for (const { name } of OBJECTS)
    if (!found.has(name)) throw new DamagedLogError(pages.path, `its description of ${name} is not what was written`);
  return { of: (name) => found.get(name)!, others };
}

const toRow = ([position, values]: TableRow): Row => [position, values[1] as string, values[2] as number];
const toRun = ([position, values]: TableRow): Run => [position, values[1] as string, values[2] as number];

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
