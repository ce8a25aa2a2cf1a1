import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FieldError } from '../../../src/model/errors.ts';
import { parseRequest } from '../../../src/model/request.ts';
import { utf8Bytes } from '../../../src/model/values/text.ts';

describe('labels', () => {
  const judged = (labels: unknown): FieldError[] => {
    const errors: FieldError[] = [];
    parseRequest({ requirements: { cpu: 1 }, labels }, 'made', errors);
    return errors;
  };

  it.each([
    ['one byte', 'x', 1],
    ['two bytes', 'é', 2],
    ['three bytes', '漢', 3],
    ['four bytes, a surrogate pair', '🦊', 4],
    ['one byte that JSON writes as six', '\u0001', 1],
  ])('may have 4 096 bytes in UTF-8, names and texts together, of characters of %s', (_, character, size) => {
    expect(utf8Bytes(character)).toBe(size);
    const text = (bytes: number) => character.repeat(Math.floor(bytes / size)) + 'y'.repeat(bytes % size);
    const labels = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`l${n + 10}`, text(99)]));
    expect(judged({ ...labels, rest: 'z'.repeat(12) })).toEqual([]);
    const allowed = 'labels of at most 4096 bytes in all, names and texts in UTF-8';
    expect(judged({ ...labels, rest: 'z'.repeat(13) })).toEqual([{ path: 'labels', value: '4097 bytes', allowed }]);
  });

  it('are the same size to the one who counts and to UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(utf8Bytes(text)).toBe(Buffer.byteLength(text));
      }),
    );
  });
});
