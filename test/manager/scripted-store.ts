import { MemoryEventStore } from '../../src/eventstore/memory.ts';
import type { AppendResult, EventStore, ReadOptions, SubscribeOptions } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';

/** How one append goes. `lost*`: no answer comes back, whether it was written or not; `held` waits for `go`. */
export type Step = 'ok' | 'lostApplied' | 'lostNotApplied' | 'failed' | 'failedForGood' | 'held';

/** The store in memory, answering later as a remote one does; appends to the pool's stream go as the script says, then well. */
export class ScriptedStore implements EventStore {
  readonly inner = new MemoryEventStore();
  readonly traits = { ...this.inner.traits, shared: true };
  readonly snapshots = this.inner.snapshots;
  readonly tried: { ids: string[]; types: string[]; expected: number; step: Step }[] = [];
  #script: Step[] = [];
  #held: (() => void)[] = [];

  next(...steps: Step[]): void {
    this.#script.push(...steps);
  }

  /** Lets the held appends go on. */
  go(): void {
    for (const run of this.#held.splice(0)) run();
  }

  async append(stream: string, events: readonly NewEvent[], expected: number): Promise<AppendResult> {
    if (stream !== 'pool-default') return this.inner.append(stream, events, expected);
    const step = this.#script.shift() ?? 'ok';
    this.tried.push({ ids: events.map((event) => event.id), types: events.map((event) => event.type), expected, step });
    if (step === 'held') await new Promise<void>((resolve) => this.#held.push(resolve));
    if (step === 'failed' || step === 'failedForGood')
      return { outcome: 'failed', cause: new Error('no'), retryable: step === 'failed' };
    if (step === 'lostNotApplied') return { outcome: 'unknown', cause: new Error('reset') };
    const result = this.inner.append(stream, events.map(plain), expected);
    return step === 'lostApplied' ? { outcome: 'unknown', cause: new Error('reset') } : result;
  }

  read(stream: string, options?: ReadOptions) {
    return this.inner.read(stream, options);
  }

  readAll(options?: { readonly signal?: AbortSignal }) {
    return this.inner.readAll(options);
  }

  subscribe(stream: string, options?: SubscribeOptions) {
    return this.inner.subscribe(stream, options);
  }

  close(): Promise<void> {
    return this.inner.close();
  }
}

/** As it goes over a wire: a copy, without the stream and revision that its maker expects. */
function plain(event: NewEvent): NewEvent {
  const { id, type, schemaVersion, at, data, metadata } = structuredClone(event);
  return { id, type, schemaVersion, at, data, metadata };
}
