import { type FieldError, invalid } from '../model/errors.ts';

const DEFAULT_LIMIT = 100;
export const MAX_LIMIT = 1_000;

/** Where a page starts and how long it is. */
export interface PageBounds<Place> {
  /** The place named by the cursor; undefined = from the beginning. */
  readonly after: Place | undefined;
  readonly limit: number;
}

type PageOptions = { readonly cursor?: string; readonly limit?: number };

/** Reads `cursor` and `limit`. Throws INVALID_REQUEST naming each that is wrong. */
export const pageBounds = (page: PageOptions): PageBounds<number> => pageBoundsBy(page, parseNumber);

/** The same for cursors of another form: `parse` answers undefined for what is none. */
export function pageBoundsBy<Place>(
  page: PageOptions,
  parse: (cursor: string) => Place | undefined,
): PageBounds<Place> {
  const errors: FieldError[] = [];
  const limit = page.limit ?? DEFAULT_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
    errors.push({ path: 'limit', value: limit, allowed: `a whole number from 1 to ${MAX_LIMIT}` });
  const after = page.cursor === undefined ? undefined : parse(page.cursor);
  if (page.cursor !== undefined && after === undefined)
    errors.push({ path: 'cursor', value: page.cursor, allowed: 'the `next` of the page before' });
  if (errors.length > 0) throw invalid(errors);
  return { after, limit };
}

/** Most cursors are a place in an order that only grows: a token, or a revision. */
const parseNumber = (cursor: string): number | undefined => (/^\d{1,15}$/.test(cursor) ? Number(cursor) : undefined);
