/**
 * Durable allocate over `sqlite:` beside what the disk and sqlite themselves take for the same event: one write and fdatasync to
 * a preallocated file, the same with group commit, and a bare loop of sqlite inserts with the store's pragmas. All in turn in one run.
 */
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createResourceDetector, type Lease, ResourcePoolManager } from '../../src/index.ts';
import { note, progress, quantile, summary, tell } from '../measure.ts';
import { scratchFolder } from '../support/scratch.ts';

const ROUNDS = 24;
const WARM_UP = 4;
const FILE_BYTES = 64 * 2 ** 20;
const CALLERS = [1, 64, 1024];
/** Appends of each caller in a round. */
const EACH: Readonly<Record<number, number>> = { 1: 200, 64: 40, 1024: 8 };

const folder = scratchFolder();
const file = (name: string): string => join(folder, name);

/** What a contender does for one caller; settles when its event is on the disk. */
interface Contender {
  readonly name: string;
  append(): Promise<unknown>;
  /** After each round, untimed. */
  tidy?(): Promise<void>;
}

/** Callers wait; what waits when the event loop turns is written together, and then all are told. */
class GroupCommit {
  readonly #write: (events: readonly unknown[]) => void;
  #events: unknown[] = [];
  #waiting: (() => void)[] = [];

  constructor(write: (events: readonly unknown[]) => void) {
    this.#write = write;
  }

  append(event: unknown): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#commit());
      this.#events.push(event);
      this.#waiting.push(resolve);
    });
  }

  #commit(): void {
    const [events, waiting] = [this.#events, this.#waiting];
    this.#events = [];
    this.#waiting = [];
    this.#write(events);
    for (const resolve of waiting) resolve();
  }
}

/** A file whose blocks are all written, so that fdatasync has no metadata to write. */
function preallocated(path: string): number {
  const descriptor = openSync(path, 'w+');
  const zeros = Buffer.alloc(2 ** 20);
  for (let at = 0; at < FILE_BYTES; at += zeros.length) writeSync(descriptor, zeros, 0, zeros.length, at);
  fsyncSync(descriptor);
  return descriptor;
}

class BareFile {
  readonly #descriptor = preallocated(file('bare'));
  #at = 0;

  write(events: readonly unknown[]): void {
    const bytes = Buffer.from(`${events.map((event) => JSON.stringify(event)).join('\n')}\n`);
    if (this.#at + bytes.length > FILE_BYTES) this.#at = 0;
    writeSync(this.#descriptor, bytes, 0, bytes.length, this.#at);
    fdatasyncSync(this.#descriptor);
    this.#at += bytes.length;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

type Fields = Record<string, unknown>;

class BareSqlite {
  readonly #db = new DatabaseSync(file('bare.db'));
  readonly #insert;
  #position = 0;

  constructor() {
    this.#db.exec(
      'PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0',
    );
    this.#db.exec(
      'CREATE TABLE events (position INTEGER PRIMARY KEY, id TEXT, type TEXT, at INTEGER, data TEXT, metadata TEXT) STRICT',
    );
    this.#insert = this.#db.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)');
  }

  write(events: readonly Fields[]): void {
    if (events.length > 1) this.#db.exec('BEGIN IMMEDIATE');
    for (const { id, type, at, data, metadata } of events) {
      const values = [id as string, type as string, at as number, JSON.stringify(data), JSON.stringify(metadata)];
      this.#insert.run(++this.#position, ...values);
    }
    if (events.length > 1) this.#db.exec('COMMIT');
  }

  checkpoint(): void {
    this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
  }

  close(): void {
    this.#db.close();
  }
}

const manager = new ResourcePoolManager(
  createResourceDetector({ capacity: { memory: '1024Gi', cpu: 10_000_000 } }),
  { maxPoolSize: 1_000_000, enableCircuitBreaker: true },
  { eventStore: `sqlite:${file('pool.db')}` },
);
await manager.ready();
const leases: Lease[] = [];
const allocate = async (): Promise<void> => {
  leases.push(await manager.allocate({ requirements: { memory: 1, cpu: 1 } }));
};
await allocate();
const event = await lastEvent();
const bareFile = new BareFile();
const bareSqlite = new BareSqlite();
const fileGroup = new GroupCommit((events) => bareFile.write(events));
const sqliteGroup = new GroupCommit((events) => bareSqlite.write(events as readonly Fields[]));

const contenders: readonly Contender[] = [
  { name: 'bare file', append: () => fileGroup.append(event) },
  { name: 'bare sqlite', append: () => sqliteGroup.append(event), tidy: async () => bareSqlite.checkpoint() },
  { name: 'allocate', append: allocate, tidy: releaseAll },
];

async function lastEvent(): Promise<Fields> {
  const revision = (await manager.getState()).revision;
  for await (const found of manager.events({ from: revision })) return found as unknown as Fields;
  throw new Error('the event that was just written is not there');
}

async function releaseAll(): Promise<void> {
  await Promise.all(leases.splice(0).map((lease) => manager.release(lease)));
}

/** How long each append took, us, and how many there were in a second, k/s. */
async function round(callers: number, contender: Contender, latenciesUs: number[]): Promise<number> {
  const each = EACH[callers]!;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      for (let i = 0; i < each; i++) {
        const startedMs = performance.now();
        await contender.append();
        latenciesUs.push((performance.now() - startedMs) * 1000);
      }
    }),
  );
  const ratePerMs = (callers * each) / (performance.now() - began);
  await contender.tidy?.();
  return ratePerMs;
}

/** One write and one fdatasync of the event's bytes, on the thread, with nothing around it. */
function fdatasyncUs(): number {
  const startedMs = performance.now();
  bareFile.write([event]);
  return (performance.now() - startedMs) * 1000;
}

const syncs: number[] = [];
for (const [n, callers] of CALLERS.entries()) {
  const rates = contenders.map((): number[] => []);
  const latencies = contenders.map((): number[] => []);
  for (let i = 0; i < ROUNDS; i++) {
    if (callers === 1) for (let k = 0; k < EACH[1]!; k++) syncs.push(fdatasyncUs());
    for (const [c, contender] of contenders.entries()) {
      const taken: number[] = [];
      const rate = await round(callers, contender, taken);
      if (i < WARM_UP) continue;
      rates[c]!.push(rate);
      for (const us of taken) latencies[c]!.push(us);
    }
    progress(n * ROUNDS + i + 1, CALLERS.length * ROUNDS);
  }
  report(callers, rates, latencies);
}

function report(callers: number, rates: readonly number[][], latencies: readonly number[][]): void {
  const who = callers === 1 ? 'one caller' : `${callers} callers`;
  const waits = latencies.map(summary);
  if (callers === 1) reportOne(summary(syncs.slice(WARM_UP * EACH[1]!)), waits);
  else {
    const medians = rates.map((samples) => summary(samples).p50);
    for (const [c, { name }] of contenders.entries()) {
      const ascending = Float64Array.from(rates[c]!).sort();
      const bar = name === 'allocate' ? { bar: { is: 'at least', value: callers === 64 ? 140 : 220 } as const } : {};
      tell({ what: `${name}, ${who}, rate`, p50: medians[c]!, p99: quantile(ascending, 0.01), unit: 'k/s', ...bar });
      tell({ what: `${name}, ${who}, until on the disk`, ...waits[c]!, unit: 'us' });
    }
    const share = (100 * medians[2]!) / medians[0]!;
    tell({
      what: `allocate's rate of the bare file's, ${who}`,
      p50: share,
      unit: '%',
      bar: { is: 'at least', value: 50 },
    });
  }
}

type Summary = ReturnType<typeof summary>;

function reportOne(sync: Summary, waits: readonly Summary[]): void {
  tell({ what: 'write + fdatasync, on the thread', ...sync, unit: 'us' });
  for (const [c, { name }] of contenders.entries()) tell({ what: `${name}, one caller`, ...waits[c]!, unit: 'us' });
  const ours = waits[2]!;
  const median = { p50: ours.p50 / sync.p50, unit: 'x', bar: { is: 'at most', value: 1.3 } } as const;
  const tail = { p50: ours.p99 / sync.p99, unit: 'x', bar: { is: 'at most', value: 2 } } as const;
  tell({ what: 'median of allocate over that of fdatasync, one caller', ...median });
  tell({ what: 'p99 of allocate over that of fdatasync, one caller', ...tail });
}

note(
  `${JSON.stringify(event).length} bytes an event; the bare contenders encode it anew each time; p99 of a rate: 99 % of the rounds were at least as fast; leases are released between rounds, untimed`,
);
await manager.dispose();
bareFile.close();
bareSqlite.close();
