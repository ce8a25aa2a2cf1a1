import { randomUUID } from 'node:crypto';
import type { NewEvent, RecordedEvent } from '../../src/model/events.ts';

/** Text and numbers that a careless codec changes. */
export const AWKWARD = {
  text: 'line\nbreak "quoted" \\ \u0000 \u2028 \ud83d\ude80 Grüße',
  loneSurrogate: '\ud800',
  numbers: [0, 1, -1, 0.1, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
  nested: { empty: {}, list: [], nothing: null, yes: true, 'a key.with/signs': 1 },
};

export const newEvent = (data: unknown = { tier: 'a' }, at = 1_767_225_600_000): NewEvent => ({
  id: randomUUID(),
  type: 'HealthChanged',
  schemaVersion: 1,
  at,
  data,
  metadata: { correlationId: 'c', causationId: 'd', actor: 'tester' },
});

export const newEvents = (count: number): NewEvent[] => Array.from({ length: count }, (_, i) => newEvent({ i }));

export const recorded = (stream: string, events: readonly NewEvent[], first = 0): RecordedEvent[] =>
  events.map((event, i) => ({ ...event, stream, revision: first + i }));

/** A name that no other test uses, because some stores outlive the test. */
export const newStream = (): string => `test-${randomUUID()}`;

export async function collect<T>(pages: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const page of pages) all.push(...page);
  return all;
}
