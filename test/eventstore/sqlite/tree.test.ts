import { expect, it } from 'vitest';
import { valuesOf } from '../../../src/eventstore/sqlite/disk/tree.ts';

/** A record with a header of its length, the type of one column, and what it holds. */
const record = (type: readonly number[], ...held: readonly number[]): Buffer =>
  Buffer.from([type.length + 1, ...type, ...held]);

it('a record is read by the types of its columns', () => {
  expect(valuesOf(record([15], 0x61))).toEqual(['a']);
  expect(valuesOf(record([1], 7))).toEqual([7]);
});

it.each([
  ['of 2^31 bytes and more', [0x90, 0x80, 0x80, 0x80, 0x0d]],
  ['of 2^34 bytes', [0xff, 0xff, 0xff, 0xff, 0x7f]],
  ['of more bytes than a number holds', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ['whose type does not end', [0xff]],
])('a column %s is no column of the record', (_, type) => {
  expect(valuesOf(record(type, 0x61))).toBeUndefined();
});
