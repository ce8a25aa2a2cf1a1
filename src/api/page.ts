import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Page } from '../model/reading.ts';

/** No answer is much larger: a page that would be ends earlier, and the next one goes on there. */
const PAGE_CHARACTERS = 1024 * 1024;

/** Sends a page with its `next`, there and as RFC 8288 has it. `after`: the cursor that goes on behind an item. */
export function sendPage<Item>(
  request: FastifyRequest,
  reply: FastifyReply,
  page: Page<Item>,
  after: (item: Item) => string,
): FastifyReply {
  const items: string[] = [];
  let characters = 0;
  for (const item of page.items) {
    if (characters > PAGE_CHARACTERS) break;
    const text = JSON.stringify(item);
    items.push(text);
    characters += text.length;
  }
  const next = items.length < page.items.length ? after(page.items[items.length - 1]!) : page.next;
  linkNext(request, reply, next);
  const body = `{"items":[${items.join(',')}],"next":${JSON.stringify(next)}}`;
  return reply.type('application/json; charset=utf-8').send(body);
}

/** RFC 8288: the same query with the cursor of the page after. */
function linkNext(request: FastifyRequest, reply: FastifyReply, next: string | null): void {
  if (next === null) return;
  const url = new URL(request.url, 'http://localhost');
  url.searchParams.set('cursor', next);
  reply.header('link', `<${url.pathname}${url.search}>; rel="next"`);
}
