import { randomUUID } from 'node:crypto';
import type { AppendResult, EventStore, ReadOptions, SubscriptionItem } from '../../src/model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../../src/model/events.ts';

/** A stream that no other test and no other run uses. */
export const freshStream = (): string => `pool-t${randomUUID()}`;

/** A type that every store can lift; what `data` holds is the test's own affair. */
export function event(data: unknown, type = 'LeaseReleased'): NewEvent {
  const id = randomUUID();
  const metadata = { correlationId: id, causationId: id, actor: 'test' };
  return { id, type, schemaVersion: 1, at: 1_700_000_000_000, data, metadata };
}

export const events = (count: number, first = 0): NewEvent[] =>
  Array.from({ length: count }, (_, i) => event({ n: first + i }));

export async function collect(pages: AsyncIterable<readonly RecordedEvent[]>): Promise<RecordedEvent[]> {
  const all: RecordedEvent[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}

export const readBack = (store: EventStore, stream: string, options?: ReadOptions): Promise<RecordedEvent[]> =>
  collect(store.read(stream, options));

/** What `batch` is once it stands in `stream` from `first` on. */
export const recorded = (batch: readonly NewEvent[], stream: string, first = 0): RecordedEvent[] =>
  batch.map((e, i) => ({ ...e, stream, revision: first + i }));

export async function mustAppend(store: EventStore, stream: string, batch: readonly NewEvent[], expected: number) {
  const result: AppendResult = await store.append(stream, batch, expected);
  if (result.outcome !== 'appended') throw new Error(`append: ${JSON.stringify(result)}`);
  return result.revision;
}

/** Takes items until `enough` says so, then leaves the loop. */
export async function takeUntil(
  items: AsyncIterable<SubscriptionItem>,
  enough: (seen: readonly RecordedEvent[], caughtUp: number) => boolean,
): Promise<{ seen: RecordedEvent[]; marks: number[] }> {
  const seen: RecordedEvent[] = [];
  const marks: number[] = [];
  for await (const item of items) {
    if ('caughtUp' in item) marks.push(seen.length);
    else seen.push(...item.events);
    if (enough(seen, marks.length)) break;
  }
  return { seen, marks };
}
