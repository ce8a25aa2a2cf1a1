import { PoolError } from '../model/errors.ts';
import { type AppendResult, areFolded, NO_STREAM, type StoreTraits } from '../model/event-store.ts';
import type { NewEvent } from '../model/events.ts';
import { findNotPlain } from './plain-json.ts';

type Failed = Extract<AppendResult, { outcome: 'failed' }>;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,199}$/;

/** A definite no that no repetition will change. */
export const refused = (message: string, path: string): Failed => ({
  outcome: 'failed',
  retryable: false,
  cause: new PoolError('INVALID_REQUEST', message, { details: { path } }),
});

/**
 * What is wrong with an append, before anything of it is sent or written; undefined if nothing is. Every store asks this, so
 * that bad input gets the same answer everywhere: `failed`, not retryable, naming field, value and what is allowed.
 */
export function refuseAppend(
  stream: string,
  events: readonly NewEvent[],
  expectedRevision: number,
  traits: StoreTraits,
): Failed | undefined {
  if (!NAME.test(stream))
    return refused(`stream: ${JSON.stringify(stream)} is not allowed; allowed: ${NAME}`, 'stream');
  if (!Number.isSafeInteger(expectedRevision) || expectedRevision < NO_STREAM) {
    const allowed = 'allowed: -1 (no stream yet) or the last revision';
    return refused(`expectedRevision: ${expectedRevision} is not allowed; ${allowed}`, 'expectedRevision');
  }
  if (events.length === 0)
    return refused('events: an empty batch is not allowed; allowed: at least one event', 'events');
  if (events.length > traits.maxAppendEvents) {
    const allowed = `allowed: at most ${traits.maxAppendEvents} in one append`;
    return refused(`events: ${events.length} events are not allowed; ${allowed}`, 'events');
  }
  return undefined;
}

/** As `refuseAppend`, and every event is looked at, but for those that the engine has folded. */
export function refuseBatch(
  stream: string,
  events: readonly NewEvent[],
  expectedRevision: number,
  traits: StoreTraits,
): Failed | undefined {
  const refusal = refuseAppend(stream, events, expectedRevision, traits);
  if (refusal !== undefined || areFolded(events)) return refusal;
  for (let i = 0; i < events.length; i++) {
    const found = refuseEvent(events[i]!, i);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What keeps an event from being written and read back exactly; undefined if nothing does. */
export function refuseEvent(event: NewEvent, index: number): Failed | undefined {
  const { id, type, schemaVersion, at } = event;
  const at_ = (field: string, value: unknown, allowed: string) =>
    refused(
      `events[${index}].${field}: ${String(value)} is not allowed; allowed: ${allowed}`,
      `events[${index}].${field}`,
    );
  if (typeof id !== 'string' || !UUID.test(id)) return at_('id', id, 'a UUID in small letters');
  if (typeof type !== 'string' || !TYPE.test(type)) return at_('type', type, String(TYPE));
  if (!Number.isSafeInteger(schemaVersion) || schemaVersion < 1)
    return at_('schemaVersion', schemaVersion, '1 or more');
  if (!Number.isSafeInteger(at) || at < 0) return at_('at', at, 'integer Unix ms');
  const found = findNotPlain(event.data, 'data') ?? findNotPlain(event.metadata, 'metadata');
  if (found === undefined) return undefined;
  const path = `events[${index}].${found.path}`;
  return refused(`${path}: ${found.reason}; allowed: plain JSON`, path);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const TYPE = /^[A-Za-z][A-Za-z0-9]{0,99}$/;

/** A batch whose events lie at its place already is answered as the first time, so that the identical retry is safe. */
export function isIdentical(batch: readonly NewEvent[], there: readonly NewEvent[]): boolean {
  return batch.length === there.length && batch.every((event, i) => event.id === there[i]?.id);
}
