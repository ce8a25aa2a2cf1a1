import { randomUUID } from 'node:crypto';
import { PoolError } from '../model/errors.ts';
import type { StoreTraits } from '../model/event-store.ts';
import { type NewEvent, SCHEMA_VERSIONS } from '../model/events.ts';
import { isTokenFloor, TOKEN_FLOORS, TOKEN_JUMP } from '../model/values/tokens.ts';

/** The floor that was asked for, or the usual one. Throws INVALID_REQUEST if it leaves no room, or not all that is known lies below it. */
export function floorAbove(known: number, asked: number | undefined): number {
  const floor = asked ?? known + TOKEN_JUMP;
  if (isTokenFloor(floor) && floor >= known) return floor;
  throw new PoolError(
    'INVALID_REQUEST',
    `token floor: ${floor} is not allowed; allowed: ${TOKEN_FLOORS}, and not below ${known}: the tokens up to there are known to have been given, or to be ruled out`,
  );
}

/**
 * The highest token that a pool has given, or that its log rules out: a copy that was never served begins above a floor of which no event tells
 * yet. `floorFor`: the copy that the pool's floor was last raised for. `restored`: what the log says of itself, if it is a copy.
 */
export function highestRuledOut(
  { lastToken, floorFor }: { readonly lastToken: number; readonly floorFor?: string | undefined },
  restored: StoreTraits['restored'],
): number {
  if (restored === undefined || restored.fileId === floorFor) return lastToken;
  const known = Math.max(lastToken, restored.token);
  return Math.max(known, restored.floor ?? known + TOKEN_JUMP);
}

/** The event that raises it, by nobody's command. `at`: Unix ms. */
export function floorRaised(
  data: { readonly floor: number; readonly reason: 'repaired' | 'imported'; readonly fileId: string | null },
  at: number,
): NewEvent {
  const id = randomUUID();
  const metadata = { correlationId: id, causationId: id, actor: 'poolctl' };
  return { id, type: 'TokenFloorRaised', schemaVersion: SCHEMA_VERSIONS.TokenFloorRaised, at, data, metadata };
}
