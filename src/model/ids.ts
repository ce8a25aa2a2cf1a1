const ID_TEXT = '[A-Za-z0-9._:-]{1,128}';
/** Ids that users choose or see: lease, request, tier, owner, key, pool. */
export const ID_PATTERN = `^${ID_TEXT}$`;
/** An idempotency key as a header holds it: in quotes or without. */
export const KEY_PATTERN = `^("${ID_TEXT}"|${ID_TEXT})$`;
const ID = new RegExp(ID_PATTERN);

export const isId = (value: unknown): value is string => typeof value === 'string' && ID.test(value);

/** A pool's id names its streams, so it may not end as the audit stream does. */
export const isPoolId = (value: unknown): value is string => isId(value) && value.length <= 64 && !isAuditStream(value);

export const poolStream = (poolId: string): string => `pool-${poolId}`;
export const auditStream = (poolId: string): string => `pool-${poolId}-audit`;
export const isAuditStream = (stream: string): boolean => stream.endsWith('-audit');

/** Events that one command can cause at most: the last four hex digits of an event's id count them. */
export const MAX_EVENTS_PER_COMMAND = 0xffff;

/** The last digits of a command's id and of its first event's, by the low bits of the count. */
const LOW_COUNT = 4_096;
const lowDigits = (after: string): readonly string[] =>
  Array.from({ length: LOW_COUNT }, (_, low) => low.toString(16).padStart(3, '0') + after);
/** Made with the first source: who makes no ids does not wait for them. */
let lowCommand: readonly string[] = [];
let lowEvent: readonly string[] = [];
/** Four hex digits. */
const EVENT_DIGITS = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(4, '0'));

/**
 * Command ids: UUIDs (RFC 9562, version 8) whose last four hex digits are zero, strictly ascending within a source.
 * `prefix` are 15 random hex digits; two sources with different prefixes never meet. An id is two texts put together, which costs
 * nothing until somebody reads it: much of what goes through the manager is never read.
 */
export class CommandIds {
  readonly #head: string;
  #count = 0;
  /** All but the last three digits of the count, and the number they stand for. */
  #block = '';
  #blockOf = -1;

  constructor(prefix: string) {
    if (!/^[0-9a-f]{15}$/.test(prefix)) throw new RangeError(`prefix: ${prefix} is not 15 hex digits`);
    if (lowCommand.length === 0) [lowCommand, lowEvent] = [lowDigits('0000'), lowDigits('0001')];
    this.#head = `${prefix.slice(0, 8)}-${prefix.slice(8, 12)}-8${prefix.slice(12, 15)}-8`;
  }

  next(): string {
    this.#count += 1;
    const block = Math.floor(this.#count / LOW_COUNT);
    if (block !== this.#blockOf) this.#begin(block);
    return this.#block + lowCommand[this.#count % LOW_COUNT]!;
  }

  /** `eventId` of the last id that was given and 1. */
  get firstEventId(): string {
    return this.#block + lowEvent[this.#count % LOW_COUNT]!;
  }

  #begin(block: number): void {
    const digits = block.toString(16).padStart(8, '0');
    this.#block = `${this.#head}${digits.slice(0, 3)}-${digits.slice(3)}`;
    this.#blockOf = block;
  }
}

export function commandIdSource(prefix: string): () => string {
  const ids = new CommandIds(prefix);
  return () => ids.next();
}

/** The id of the n-th event that a command caused (n from 1): a function of both, so that a retry writes the identical batch. */
export function eventId(commandId: string, n: number): string {
  if (n > MAX_EVENTS_PER_COMMAND) throw new RangeError(`one command caused more than ${MAX_EVENTS_PER_COMMAND} events`);
  return commandId.slice(0, -4) + (EVENT_DIGITS[n] ?? n.toString(16).padStart(4, '0'));
}
