/** Ids that users choose or see: lease, request, tier, owner, key, pool. */
export const ID_PATTERN = '^[A-Za-z0-9._:-]{1,128}$';
const ID = new RegExp(ID_PATTERN);

export const isId = (value: unknown): value is string => typeof value === 'string' && ID.test(value);

/** A pool's id names its streams, so it may not end as the audit stream does. */
export const isPoolId = (value: unknown): value is string => isId(value) && value.length <= 64 && !isAuditStream(value);

export const poolStream = (poolId: string): string => `pool-${poolId}`;
export const auditStream = (poolId: string): string => `pool-${poolId}-audit`;
export const isAuditStream = (stream: string): boolean => stream.endsWith('-audit');

/** Events that one command can cause at most: the last four hex digits of an event's id count them. */
export const MAX_EVENTS_PER_COMMAND = 0xffff;

/**
 * A source of command ids: UUIDs (RFC 9562, version 8) whose last four hex digits are zero, strictly ascending within a source.
 * `prefix` are 15 random hex digits; two sources with different prefixes never meet.
 */
export function commandIdSource(prefix: string): () => string {
  if (!/^[0-9a-f]{15}$/.test(prefix)) throw new RangeError(`prefix: ${prefix} is not 15 hex digits`);
  const head = `${prefix.slice(0, 8)}-${prefix.slice(8, 12)}-8${prefix.slice(12, 15)}-8`;
  let count = 0;
  return () => {
    count += 1;
    const digits = count.toString(16).padStart(11, '0');
    return `${head}${digits.slice(0, 3)}-${digits.slice(3)}0000`;
  };
}

/** The id of the n-th event that a command caused (n from 1): a function of both, so that a retry writes the identical batch. */
export function eventId(commandId: string, n: number): string {
  if (n > MAX_EVENTS_PER_COMMAND) throw new RangeError(`one command caused more than ${MAX_EVENTS_PER_COMMAND} events`);
  const hex = n.toString(16);
  return commandId.slice(0, 36 - hex.length) + hex;
}
