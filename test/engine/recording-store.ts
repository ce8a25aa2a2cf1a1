import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import type { AppendResult } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import type { FakeClock } from '../../src/testing/fake-clock.ts';
import { FaultyStore, type Step } from '../../src/testing/faulty-store.ts';

const POOL = 'pool-default';

/** The store in memory, answering later as a remote one does; appends to the pool's stream go as the script says, and are noted. */
export class RecordingStore extends FaultyStore {
  readonly inner: MemoryEventStore;
  readonly tried: { ids: string[]; types: string[]; expected: number; step: Step }[] = [];
  #script: Step[] = [];

  constructor(clock: FakeClock) {
    const inner = new MemoryEventStore();
    super(inner, { clock, random: () => 0.5, timeoutMs: 0, suffers: (stream) => stream === POOL });
    this.inner = inner;
  }

  override next(...steps: readonly Step[]): void {
    this.#script.push(...steps);
  }

  override async append(stream: string, events: readonly NewEvent[], expected: number): Promise<AppendResult> {
    if (stream === POOL) {
      const step = this.#script.shift() ?? 'ok';
      super.next(step);
      this.tried.push({ ids: events.map(({ id }) => id), types: events.map(({ type }) => type), expected, step });
    }
    return super.append(stream, events, expected);
  }
}
