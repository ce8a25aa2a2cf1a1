import { dashed } from '../proto/uuid.ts';
import type { Draft } from './record.ts';

/**
 * A record in the file: kind (1 byte), isJson (1), id (16), createdMs (8), then stream, type, data and metadata, each
 * with its length before it (4). Positions and revisions are not written: they follow from the order.
 */
const FIXED_BYTES = 26;
const KINDS: readonly Draft['kind'][] = ['event', 'tombstone', 'none'];

/** The drafts of one append, one after the other. */
export const encodeDrafts = (drafts: readonly Draft[]): Buffer => Buffer.concat(drafts.flatMap(encodeDraft));

function encodeDraft(draft: Draft): Uint8Array[] {
  const fixed = Buffer.allocUnsafe(FIXED_BYTES);
  fixed[0] = KINDS.indexOf(draft.kind);
  fixed[1] = draft.isJson ? 1 : 0;
  fixed.write(draft.id.replaceAll('-', ''), 2, 'hex');
  fixed.writeDoubleBE(draft.createdMs, 18);
  const texts = [Buffer.from(draft.stream), Buffer.from(draft.type), draft.data, draft.metadata];
  return [fixed, ...texts.flatMap((text) => [lengthOf(text), text])];
}

function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(bytes.length);
  return length;
}

/** The drafts in `bytes`; data and metadata stay views of it. */
export function decodeDrafts(bytes: Buffer): Draft[] {
  const drafts: Draft[] = [];
  for (let offset = 0; offset < bytes.length; ) {
    const fixed = bytes.subarray(offset, offset + FIXED_BYTES);
    const [stream, afterStream] = take(bytes, offset + FIXED_BYTES);
    const [type, afterType] = take(bytes, afterStream);
    const [data, afterData] = take(bytes, afterType);
    const [metadata, end] = take(bytes, afterData);
    drafts.push({
      kind: KINDS[fixed[0]!]!,
      isJson: fixed[1] === 1,
      id: dashed(fixed.toString('hex', 2, 18)),
      createdMs: fixed.readDoubleBE(18),
      stream: stream.toString(),
      type: type.toString(),
      data,
      metadata,
    });
    offset = end;
  }
  return drafts;
}

function take(bytes: Buffer, offset: number): [Buffer, number] {
  const start = offset + 4;
  const end = start + bytes.readUInt32BE(offset);
  return [bytes.subarray(start, end), end];
}
