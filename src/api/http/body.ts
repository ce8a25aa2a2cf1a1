import type { FastifyInstance, FastifyRequest } from 'fastify';
import { invalid, PoolError } from '../../model/errors.ts';

const MAX_DEPTH = 32;
/** A body of n characters nests at most n/2 deep: short ones need no look. */
const HARMLESS_LENGTH = 2_048;

/** JSON is the only body there is; nothing is coerced, and a body that nests too deep is refused before anything walks it. */
export function acceptJson(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  const types = ['application/json', 'application/merge-patch+json'];
  app.addContentTypeParser<string>(types, { parseAs: 'string' }, (request, text, done) => {
    const wrong = refusalOf(request, text);
    if (wrong !== undefined) done(wrong, undefined);
    else if (text === '') done(null, undefined);
    else parse(request, text, (error, body) => done(error === null ? null : malformed(text), body));
  });
}

function refusalOf(request: FastifyRequest, text: string): PoolError | undefined {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity')
    return new PoolError('UNSUPPORTED_MEDIA_TYPE', `content-encoding ${encoding} is not supported; allowed: identity`);
  return text.length > HARMLESS_LENGTH && tooDeep(text)
    ? invalid([{ path: 'body', value: 'deeply nested JSON', allowed: `at most ${MAX_DEPTH} levels` }])
    : undefined;
}

const malformed = (text: string): PoolError =>
  invalid([
    {
      path: 'body',
      value: text.slice(0, 100),
      allowed: 'well-formed JSON (RFC 8259) without __proto__ or constructor keys',
    },
  ]);

function tooDeep(text: string): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 92) i += 1;
      else if (c === 34) inString = false;
    } else if (c === 34) inString = true;
    else if (c === 91 || c === 123) {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (c === 93 || c === 125) depth -= 1;
  }
  return false;
}
