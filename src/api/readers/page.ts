import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Page } from '../../model/reading.ts';
import { readersTurn, Slice } from '../../time/turn.ts';
import { untilGone } from './over.ts';

/** No answer is much larger: a page that would be ends earlier, and the next one goes on there. */
const PAGE_CHARACTERS = 1024 * 1024;

/** What every list says of its pages. */
export const PAGES =
  'A page holds `limit` items at most, and about 1 MiB; it looks at a bounded number of entries, so that with a filter it may be short, or empty, and yet have a `next`. The list ends where `next` is null.';

/**
 * Sends the page of at most so many items that `pageAt` reads, with its `next`, there and as RFC 8288 has it. Nothing is read any more
 * once the client is gone: the signal aborts.
 */
export async function sendPage<Item>(
  request: FastifyRequest,
  reply: FastifyReply,
  limit: number | undefined,
  pageAt: (limit: number | undefined, signal: AbortSignal) => Promise<Page<Item>>,
): Promise<FastifyReply> {
  const signal = untilGone(reply.raw);
  let page = await pageAt(limit, signal);
  let items = await textsOf(page.items);
  // What is read again may be larger meanwhile: `next` is only of what is sent.
  while (items.length < page.items.length) {
    signal.throwIfAborted();
    page = await pageAt(items.length, signal);
    items = await textsOf(page.items);
  }
  linkNext(request, reply, page.next);
  const body = `{"items":[${items.join(',')}],"next":${JSON.stringify(page.next)}}`;
  return reply.type('application/json; charset=utf-8').send(body);
}

/** The items as JSON, as many as an answer may hold, and at least one. */
async function textsOf(items: readonly unknown[]): Promise<string[]> {
  const texts: string[] = [];
  const slice = new Slice(readersTurn);
  let characters = 0;
  for (const item of items) {
    if (characters >= PAGE_CHARACTERS) break;
    const text = JSON.stringify(item);
    texts.push(text);
    characters += text.length;
    if (slice.isOver) await slice.next();
  }
  return texts;
}

/** RFC 8288: the same query with the cursor of the page after. */
function linkNext(request: FastifyRequest, reply: FastifyReply, next: string | null): void {
  if (next === null) return;
  const url = new URL(request.url, 'http://localhost');
  url.searchParams.set('cursor', next);
  reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
}
