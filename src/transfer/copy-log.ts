import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { evolve } from '../domain/evolve.ts';
import { emptyState, type PoolState } from '../domain/state.ts';
import { openEventStore } from '../eventstore/open.ts';
import type { Repaired } from '../eventstore/sqlite/copy/repair.ts';
import { sqlitePath, sqliteUrl } from '../eventstore/sqlite/url.ts';
import { floorAbove, highestRuledOut } from '../eventstore/token-floor.ts';
import { invalid, PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import { isAuditStream } from '../model/ids.ts';
import { systemClock } from '../time/system-clock.ts';

export type { Repaired };

export interface CopyLogOptions {
  /** Default: far above every token that is known. */
  readonly tokenFloor?: number;
  readonly onPages?: (done: number, total: number) => void;
  readonly onEvents?: (done: { readonly events: number; readonly total: number }) => void;
}

export interface BackedUp {
  readonly events: number;
  /** The highest token that the copy holds. */
  readonly lastToken: number;
}

/**
 * Copies the log of a `sqlite:` URL to a new file, beside a running server too, reads the copy through and folds it, and only then gives
 * it its name. Throws INVALID_REQUEST if there is a file of that name, DamagedLogError if the log is damaged.
 */
export async function backupLog(url: string, to: string, options: CopyLogOptions = {}): Promise<BackedUp> {
  const { tokenFloor, onPages = () => {} } = options;
  const { copyFile, markAsCopy } = await import('../eventstore/sqlite/copy/copy.ts');
  return written(url, to, async (path, part) => {
    await copyFile(path, part, onPages);
    const { events, lastToken, ruledOut, isOfCopy } = await readThrough(part);
    markAsCopy(part, tokenFloor !== undefined || isOfCopy ? floorAbove(ruledOut, tokenFloor) : null);
    return { events, lastToken };
  });
}

/**
 * Writes what is provably whole of the log of a `sqlite:` URL to a new file, reads that through and folds it, and only then gives it its
 * name. The log itself is only read. Throws as `backupLog` does, and DamagedLogError if nothing of it can be kept.
 */
export async function repairLog(url: string, to: string, options: CopyLogOptions = {}): Promise<Repaired> {
  const { tokenFloor, onEvents } = options;
  const { repairFile } = await import('../eventstore/sqlite/copy/repair.ts');
  return written(url, to, async (path, part) => {
    const asked = tokenFloor === undefined ? {} : { tokenFloor };
    const told = onEvents === undefined ? {} : { onProgress: onEvents };
    const repaired = repairFile(path, part, { ...asked, ...told, now: systemClock.now() });
    await readThrough(part);
    return repaired;
  });
}

/** What `write` makes at a place beside `to`, which is given that name when it is whole. */
async function written<T>(url: string, to: string, write: (path: string, part: string) => Promise<T>): Promise<T> {
  const path = pathOf(url);
  const named = copyPath(to);
  const { discard, publish, refuseExisting } = await import('../eventstore/sqlite/copy/copy.ts');
  refuseExisting(named);
  const part = `${named}.part`;
  discard(part); // of one that was killed
  try {
    const done = await write(path, part);
    publish(part, named);
    return done;
  } finally {
    discard(part);
  }
}

/** Absolute: sqlite reads a bare name that begins with "file:" as a URI, which names another file. */
function copyPath(to: string): string {
  if (/^(sqlite|file):/.test(to)) {
    const allowed = `the path of a file, not a URL (./${to} for a file of that name)`;
    throw invalid([{ path: 'to', value: to, allowed }]);
  }
  return resolve(to);
}

function pathOf(url: string): string {
  if (!url.startsWith('sqlite:'))
    throw new PoolError(
      'INVALID_REQUEST',
      `store: ${url} is not allowed; allowed: sqlite:<file>, as only files are copied (export takes any store)`,
    );
  const path = sqlitePath(url);
  const isThere = ['', '-wal'].some((end) => existsSync(`${path}${end}`));
  if (!isThere) throw new PoolError('NOT_FOUND', `store: there is no file ${path}`, { details: { path } });
  return path;
}

interface ReadThrough extends BackedUp {
  /** No token up to this one may be given where a copy goes on. */
  readonly ruledOut: number;
  /** It is a copy of another log. */
  readonly isOfCopy: boolean;
}

/** Every page, every event, and the fold of every pool. */
async function readThrough(path: string): Promise<ReadThrough> {
  const store = await openEventStore(sqliteUrl(path), { readOnly: true, whole: true });
  const states = new Map<string, PoolState>();
  let events = 0;
  try {
    for await (const page of store.readAll()) {
      for (const event of page) if (!isAuditStream(event.stream)) foldInto(states, event as RecordedPoolEvent);
      events += page.length;
    }
  } finally {
    await store.close();
  }
  const { restored } = store.traits;
  const pools = [{ lastToken: 0 }, ...states.values()]; // and one that has no events yet
  const lastToken = Math.max(...pools.map((pool) => pool.lastToken));
  const ruledOut = Math.max(...pools.map((pool) => highestRuledOut(pool, restored)));
  return { events, lastToken, ruledOut, isOfCopy: restored !== undefined };
}

function foldInto(states: Map<string, PoolState>, event: RecordedPoolEvent): void {
  const state = states.get(event.stream) ?? emptyState();
  states.set(event.stream, state);
  evolve(state, event);
}
