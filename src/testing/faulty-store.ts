import type { Clock } from '../model/clock.ts';
import {
  type AppendResult,
  type BoundedHistory,
  type EventStore,
  NO_STREAM,
  type ReadOptions,
  type SnapshotStore,
  type StoreTraits,
  type SubscribeOptions,
  type SubscriptionItem,
} from '../model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../model/events.ts';
import {
  APPEND_FAULTS,
  type AppendFault,
  drawFault,
  type FaultCounts,
  type FaultRates,
  noFaults,
  type ReadFault,
} from './faults.ts';
import { away, Link, later, never } from './link.ts';

export interface FaultyStoreOptions {
  /** The client's: answers come back on it, so a client whose clock stands hears nothing. */
  readonly clock: Clock;
  /** The server's, on which late appends land; default the client's. */
  readonly serverClock?: Clock;
  /** A draw in [0, 1). All chance comes from here, so a seed repeats it. */
  readonly random: () => number;
  readonly rates?: FaultRates;
  /** How long an answer takes, ms, drawn anew each time; 0 (the default) = it is there at once. */
  readonly latencyMs?: () => number;
  /** How long a read takes before its first page, ms, drawn anew each time; default 0. */
  readonly readMs?: () => number;
  /** After this an append or a read that got no answer is given up (default 1 000). */
  readonly timeoutMs?: number;
  /** How much later a late append lands at most, ms (default 5 000). */
  readonly lateMs?: number;
  /** How long a slow answer takes, ms (default 800). */
  readonly slowMs?: number;
  /** How late a delayed item of a subscription comes at most, ms (default 2 000). */
  readonly delayMs?: number;
  /** What another writer appends first (`overtaken`) after `lastRevision`; without it nobody overtakes. */
  readonly overtake?: (stream: string, lastRevision: number) => Promise<readonly NewEvent[] | undefined>;
  /** Which streams suffer; default all. */
  readonly suffers?: (stream: string) => boolean;
  /** Events that a page of a read holds at most; default as the store beneath gives them. */
  readonly pageEvents?: number;
  /** Over what the store beneath says of itself. */
  readonly traits?: Partial<StoreTraits>;
  /** Events are handed on as the objects they are instead of copies; only for a store in memory, and quicker. */
  readonly sharesEvents?: boolean;
}

type Answer = AppendResult | Promise<AppendResult>;
type Arrive = () => Answer;

/** The next appends, by hand. `held` waits for `go`. */
export type Step = AppendFault | 'ok' | 'held';

/**
 * One client's connection to a store, with faults: drawn by rates, or scripted by `next`. Several over one store are several
 * writers. What lands goes through the store beneath, whose answers for identical retries are those of an EventStoreDB: the
 * identical batch at its own revision succeeds again, at the revision of the first time.
 */
export class FaultyStore implements EventStore {
  readonly traits: StoreTraits;
  readonly snapshots: SnapshotStore;
  readonly history?: BoundedHistory;
  readonly counts: FaultCounts = noFaults();
  readonly #inner: EventStore;
  readonly #options: FaultyStoreOptions;
  #rates: FaultRates;
  #script: Step[] = [];
  #held: (() => void)[] = [];
  readonly #links = new Set<Link>();
  #dead = false;
  /** Settles when the connection is healed; undefined = it is whole. */
  #stalled: { readonly healed: Promise<void>; readonly heal: () => void } | undefined;

  constructor(inner: EventStore, options: FaultyStoreOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#rates = options.rates ?? {};
    this.traits = { ...inner.traits, shared: true, ...options.traits };
    this.snapshots = inner.snapshots;
    if (inner.history !== undefined) this.history = inner.history;
  }

  /** How the next appends go, before any is drawn again. */
  next(...steps: readonly Step[]): void {
    this.#script.push(...steps);
  }

  /** Lets held appends go on. */
  go(): void {
    for (const run of this.#held.splice(0)) run();
  }

  setRates(rates: FaultRates): void {
    this.#rates = rates;
  }

  /** Nothing arrives or comes back until `heal`; what is sent meanwhile arrives then, long after it was given up. */
  stall(): void {
    if (this.#stalled !== undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stalled = { healed: promise, heal: resolve };
  }

  heal(): void {
    this.#stalled?.heal();
    this.#stalled = undefined;
  }

  /** The client's process has died: nothing comes back any more; what was on its way may still land. */
  kill(): void {
    this.#dead = true;
    for (const link of this.#links) link.close();
  }

  append(stream: string, events: readonly NewEvent[], expected: number): Answer {
    if (this.#dead) return never();
    const sent = this.#options.sharesEvents === true ? events : events.map(onTheWire);
    const arrive: Arrive = () => this.#inner.append(stream, sent, expected);
    const step = this.#step(stream);
    if (this.#stalled !== undefined) return this.#intoStall(this.#stalled.healed, arrive);
    if (step === undefined || step === 'ok') return this.#send(arrive);
    return step === 'held' ? this.#hold(arrive) : this.#suffer(step, stream, arrive);
  }

  async *read(stream: string, options?: ReadOptions): AsyncGenerator<readonly RecordedEvent[]> {
    if (this.#blocked) await this.#passOrTimeOut();
    const readMs = this.#options.readMs?.() ?? 0;
    if (readMs > 0) await later(this.#options.clock, readMs, () => undefined);
    const suffers = this.#suffers(stream);
    if (suffers && this.#happens('readFails')) throw away('the read failed');
    let pages = 0;
    for await (const page of cut(this.#inner.read(stream, options), this.#options.pageEvents)) {
      if (pages > 0 && suffers && this.#happens('readBreaks')) throw away('the read broke off');
      if (this.#blocked) await this.#passOrTimeOut();
      pages += 1;
      yield page;
    }
  }

  async *readAll(options?: { readonly signal?: AbortSignal }): AsyncGenerator<readonly RecordedEvent[]> {
    if (this.#blocked) await this.#passOrTimeOut();
    yield* this.#inner.readAll(options);
  }

  async *subscribe(stream: string, { signal, ...options }: SubscribeOptions = {}): AsyncGenerator<SubscriptionItem> {
    if (this.#blocked) await this.#passOrTimeOut();
    const link = new Link(signal);
    this.#links.add(link);
    try {
      for await (const item of this.#inner.subscribe(stream, { ...options, signal: link.signal })) {
        if (this.#suffers(stream)) await this.#disturb(link);
        if (this.#blocked) await Promise.race([this.#passed(), link.closed]);
        if (link.signal.aborted) break;
        yield item;
      }
    } finally {
      this.#links.delete(link);
      link.leave();
    }
    if (this.#dead) await never();
  }

  /** The store beneath stays open: others use it. */
  async close(): Promise<void> {
    this.kill();
  }

  get #blocked(): boolean {
    return this.#dead || this.#stalled !== undefined;
  }

  #suffers(stream: string): boolean {
    return this.#options.suffers?.(stream) ?? true;
  }

  #step(stream: string): Step | undefined {
    if (!this.#suffers(stream)) return undefined;
    return this.#script.shift() ?? drawFault(APPEND_FAULTS, this.#rates, this.#options.random());
  }

  #happens(fault: ReadFault): boolean {
    const rate = this.#rates[fault] ?? 0;
    if (rate === 0 || this.#options.random() >= rate) return false;
    this.counts[fault] += 1;
    return true;
  }

  #suffer(fault: AppendFault, stream: string, arrive: Arrive): Answer {
    const { random, clock, serverClock = clock, lateMs = 5_000, slowMs = 800 } = this.#options;
    if (fault === 'overtaken') return this.#overtaken(stream, arrive);
    this.counts[fault] += 1;
    switch (fault) {
      case 'timeoutNotApplied':
        return this.#timeout();
      case 'timeoutApplied':
        void arrive();
        return this.#timeout();
      case 'timeoutAppliedLate':
        serverClock.schedule(random() * lateMs, () => void arrive());
        return this.#timeout();
      case 'disconnected':
        return this.#send(() => ({ outcome: 'unknown', cause: new Error('the connection was reset') }));
      case 'sentTwice':
        return this.#send(() => twice(arrive));
      case 'slow':
        return later(clock, slowMs, () => this.#send(arrive));
      case 'failedRetryable':
      case 'failedForGood': {
        const cause = new Error('the store said no');
        return this.#send(() => ({ outcome: 'failed', cause, retryable: fault === 'failedRetryable' }));
      }
    }
  }

  async #overtaken(stream: string, arrive: Arrive): Promise<AppendResult> {
    const last = await lastRevision(this.#inner, stream);
    const events = await this.#options.overtake?.(stream, last);
    if (events !== undefined) {
      const { outcome } = await this.#inner.append(stream, events, last);
      if (outcome === 'appended') this.counts.overtaken += 1;
    }
    return this.#send(arrive);
  }

  #hold(arrive: Arrive): Promise<AppendResult> {
    return new Promise((resolve) => {
      this.#held.push(() => resolve(this.#send(arrive)));
    });
  }

  /** It arrives when the connection is healed; by then its caller has given it up, unless that was soon. */
  #intoStall(healed: Promise<void>, arrive: Arrive): Promise<AppendResult> {
    return Promise.race([this.#timeout(), healed.then(() => this.#send(arrive))]);
  }

  /** There and back: half of the latency is the server's, so that another writer may come between. */
  #send(arrive: Arrive): Answer {
    const { clock, serverClock = clock, latencyMs } = this.#options;
    const halfMs = (latencyMs?.() ?? 0) / 2;
    if (halfMs === 0) return this.#back(arrive());
    return later(serverClock, halfMs, arrive).then((result) => later(clock, halfMs, () => this.#back(result)));
  }

  #timeout(): Promise<AppendResult> {
    const { clock, timeoutMs = 1_000 } = this.#options;
    const cause = new Error(`no answer in ${timeoutMs} ms`);
    return later(clock, timeoutMs, () => this.#back({ outcome: 'unknown', cause }));
  }

  #back(result: Answer): Answer {
    return this.#dead ? never() : result;
  }

  async #disturb(link: Link): Promise<void> {
    if (this.#happens('subscriptionCut')) throw away('the subscription was cut');
    if (!this.#happens('subscriptionDelayed')) return;
    const { clock, random, delayMs = 2_000 } = this.#options;
    await Promise.race([later(clock, random() * delayMs, () => undefined), link.closed]);
  }

  async #passed(): Promise<void> {
    await this.#stalled?.healed;
    if (this.#dead) await never();
  }

  async #passOrTimeOut(): Promise<void> {
    const { clock, timeoutMs = 1_000 } = this.#options;
    const passed = await Promise.race([this.#passed().then(() => true), later(clock, timeoutMs, () => false)]);
    if (this.#dead) await never();
    if (!passed) throw away(`no answer in ${timeoutMs} ms`);
  }
}

async function* cut(pages: AsyncIterable<readonly RecordedEvent[]>, size = Number.POSITIVE_INFINITY) {
  for await (const page of pages) {
    if (page.length <= size) yield page;
    else for (let at = 0; at < page.length; at += size) yield page.slice(at, at + size);
  }
}

async function twice(arrive: Arrive): Promise<AppendResult> {
  await arrive();
  return arrive();
}

async function lastRevision(store: EventStore, stream: string): Promise<number> {
  for await (const page of store.read(stream, { direction: 'backward', limit: 1 }))
    return page[0]?.revision ?? NO_STREAM;
  return NO_STREAM;
}

/** Without the stream and revision that its maker expects for it. */
const onTheWire = ({ id, type, schemaVersion, at, data, metadata }: NewEvent): NewEvent => ({
  id,
  type,
  schemaVersion,
  at,
  data,
  metadata,
});
