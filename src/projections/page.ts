import { type FieldError, invalid } from '../model/errors.ts';

const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1_000;

/** Where a page starts and how long it is. */
export interface PageBounds {
  /** The place named by the cursor; undefined = from the beginning. */
  readonly after: number | undefined;
  readonly limit: number;
}

/** Reads `cursor` and `limit`. Throws INVALID_REQUEST naming each that is wrong. */
export function pageBounds(page: { readonly cursor?: string; readonly limit?: number }): PageBounds {
  const errors: FieldError[] = [];
  const limit = page.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    errors.push({ path: 'limit', value: limit, allowed: `a whole number from 1 to ${MAX_LIMIT}` });
  const after = page.cursor === undefined ? undefined : parseCursor(page.cursor);
  if (Number.isNaN(after))
    errors.push({ path: 'cursor', value: page.cursor, allowed: 'the `next` of the page before' });
  if (errors.length > 0) throw invalid(errors);
  return { after, limit };
}

/** A cursor is a place in an order that only grows: a token, or a revision. NaN if it is none. */
const parseCursor = (cursor: string): number => (/^\d{1,15}$/.test(cursor) ? Number(cursor) : Number.NaN);
