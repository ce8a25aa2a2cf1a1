import type { Page } from '../model/reading.ts';

const PAGE_ITEMS = 1_000;

/** What a list holds in all its pages; one may be short, or empty, and yet have a next. */
export async function everyItem<Item>(
  pageAt: (page: { readonly cursor?: string; readonly limit: number }) => Promise<Page<Item>>,
): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | undefined;
  do {
    const page = await pageAt({ limit: PAGE_ITEMS, ...(cursor !== undefined && { cursor }) });
    for (const item of page.items) items.push(item);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined);
  return items;
}
