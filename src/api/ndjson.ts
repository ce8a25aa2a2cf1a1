import type { Page } from '../model/reading.ts';

const PAGE_SIZE = 1_000;

/** The log as one JSON text a line, page by page as the reader takes it; at most `limit` lines. */
export async function* ndjsonLines<E>(
  pageAt: (page: { cursor?: string; limit: number }) => Promise<Page<E>>,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<string> {
  let cursor: string | undefined;
  let left = limit;
  do {
    const size = Math.min(PAGE_SIZE, left);
    const page: Page<E> = await pageAt({ limit: size, ...(cursor === undefined ? {} : { cursor }) });
    if (page.items.length > 0) yield page.items.map((item) => `${JSON.stringify(item)}\n`).join('');
    left -= page.items.length;
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && left > 0);
}
