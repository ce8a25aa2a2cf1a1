import { dashed } from '../proto/uuid.ts';
import type { Draft } from './record.ts';

/**
 * A record in the file: kind (1 byte), isJson (1), id (16), createdMs (8), then stream, type, data and metadata, each
 * with its length before it (4). Positions and revisions are not written: they follow from the order.
 */
const FIXED_BYTES = 26;
const LENGTH_BYTES = 4;
const KINDS: readonly Draft['kind'][] = ['event', 'tombstone', 'none'];

/** The drafts of one append, one after the other. */
export function encodeDrafts(drafts: readonly Draft[]): Buffer {
  const bytes = Buffer.allocUnsafe(drafts.reduce((sum, draft) => sum + sizeOf(draft), 0));
  let offset = 0;
  for (const draft of drafts) offset = writeDraft(bytes, offset, draft);
  return bytes;
}

const sizeOf = ({ stream, type, data, metadata }: Draft): number =>
  FIXED_BYTES + 4 * LENGTH_BYTES + Buffer.byteLength(stream) + Buffer.byteLength(type) + data.length + metadata.length;

/** Where the next draft begins. */
function writeDraft(bytes: Buffer, offset: number, draft: Draft): number {
  bytes[offset] = KINDS.indexOf(draft.kind);
  bytes[offset + 1] = draft.isJson ? 1 : 0;
  bytes.write(draft.id.replaceAll('-', ''), offset + 2, 'hex');
  bytes.writeDoubleBE(draft.createdMs, offset + 18);
  const afterStream = writeText(bytes, offset + FIXED_BYTES, draft.stream);
  const afterType = writeText(bytes, afterStream, draft.type);
  return writeBytes(bytes, writeBytes(bytes, afterType, draft.data), draft.metadata);
}

function writeText(bytes: Buffer, offset: number, text: string): number {
  const length = bytes.write(text, offset + LENGTH_BYTES);
  return bytes.writeUInt32BE(length, offset) + length;
}

function writeBytes(bytes: Buffer, offset: number, source: Uint8Array): number {
  bytes.set(source, bytes.writeUInt32BE(source.length, offset));
  return offset + LENGTH_BYTES + source.length;
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
  const start = offset + LENGTH_BYTES;
  const end = start + bytes.readUInt32BE(offset);
  return [bytes.subarray(start, end), end];
}
