import type { NewEvent } from '../events.ts';

/**
 * How far a token floor lies above the highest token that is known, where more may have been given since: by the log that a copy was made
 * of, or in events that are lost. A log that grants 100 000 leases a second, ten times what one does, would take 127 days for as many.
 */
export const TOKEN_JUMP = 2 ** 40;

/** The highest floor: above it there is room for as many tokens again, below 2^53 - 1. */
export const MAX_TOKEN_FLOOR = Number.MAX_SAFE_INTEGER - TOKEN_JUMP;

export const isTokenFloor = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_TOKEN_FLOOR;
export const TOKEN_FLOORS = `a whole number from 0 to ${MAX_TOKEN_FLOOR}`;

/** The highest fencing token that the event gives away or rules out; 0 = none. */
export function tokenOf({ type, data }: NewEvent): number {
  if (type !== 'LeaseGranted' && type !== 'TokenFloorRaised') return 0;
  const { token, floor } = data as { readonly token?: unknown; readonly floor?: unknown };
  const given = type === 'LeaseGranted' ? token : floor;
  return typeof given === 'number' ? given : 0;
}
