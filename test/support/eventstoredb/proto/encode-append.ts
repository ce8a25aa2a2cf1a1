import { Expected } from '../write/append-rules.ts';
import type { Outcome } from '../write/writer.ts';
import { type ExpectedVersion, toUint64 } from './numbers.ts';
import { WireWriter } from './wire.ts';

const UINT64_MAX = 2n ** 64n - 1n;

/** How the client put its expectation. */
export type ExpectedOption =
  | { readonly kind: 'revision'; readonly revision: bigint }
  | { readonly kind: 'noStream' | 'any' | 'streamExists' };

/** AppendResp.success (1): current_revision 1 or no_stream 2, position 3 or no_position 4. */
export const encodeAppendSuccess = (outcome: Outcome & { kind: 'success' }): Uint8Array =>
  new WireWriter()
    .message(1, (success) => {
      if (outcome.last === -1) success.message(2);
      else success.uint64(1, outcome.last);
      if (outcome.position === -1) success.message(4);
      else success.message(3, () => success.uint64(1, outcome.position).uint64(2, outcome.position));
    })
    .finish();

/** AppendResp.wrong_expected_version (2); fields 1 to 5 say the same as 6 to 11, for clients of before 20.6.1. */
export const encodeAppendWrongVersion = (expected: ExpectedOption, current: number): Uint8Array =>
  new WireWriter()
    .message(2, (wrong) => {
      if (current === -1) wrong.message(2);
      else wrong.uint64(1, toUint64(current));
      writeOldExpected(wrong, expected);
      if (current === -1) wrong.message(7);
      else wrong.uint64(6, toUint64(current));
      writeExpected(wrong, expected);
    })
    .finish();

function writeOldExpected(wrong: WireWriter, expected: ExpectedOption): void {
  if (expected.kind === 'any') wrong.message(4);
  else if (expected.kind === 'streamExists') wrong.message(5);
  else wrong.uint64(3, expected.kind === 'revision' ? expected.revision : UINT64_MAX);
}

function writeExpected(wrong: WireWriter, expected: ExpectedOption): void {
  if (expected.kind === 'revision') wrong.uint64(8, expected.revision);
  else wrong.message({ any: 9, streamExists: 10, noStream: 11 }[expected.kind]);
}

/** 2^64-1, sent as a revision, means "no stream", but is echoed as the revision it was. */
export function expectedOption(expected: ExpectedVersion, sentRevision: string | undefined): ExpectedOption {
  if (sentRevision !== undefined) return { kind: 'revision', revision: BigInt(sentRevision) };
  if (expected.version === Expected.any) return { kind: 'any' };
  return { kind: expected.version === Expected.noStream ? 'noStream' : 'streamExists' };
}
