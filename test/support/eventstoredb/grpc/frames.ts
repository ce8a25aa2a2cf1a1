import { StatusCode, StatusError } from './status.ts';

const HEADER_BYTES = 5;

/** The largest message that EventStoreDB 24.6 receives, in bytes (recorded: one byte more is refused). */
export const MAX_MESSAGE_BYTES = 16_767_216;

/** Cuts the byte stream of a call into its messages: 1 byte "compressed", 4 bytes length, the message. */
export class FrameReader {
  #held: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = HEADER_BYTES;

  /** The messages completed by `chunk`. Throws a StatusError for one that is too large or compressed. */
  *push(chunk: Buffer): Generator<Buffer> {
    this.#parts.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#neededBytes) return;
    this.#held = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts);
    while (this.#held.length >= HEADER_BYTES) {
      const frameBytes = HEADER_BYTES + messageBytesOf(this.#held);
      if (this.#held.length < frameBytes) {
        this.#neededBytes = frameBytes;
        break;
      }
      yield this.#held.subarray(HEADER_BYTES, frameBytes);
      this.#held = this.#held.subarray(frameBytes);
      this.#neededBytes = HEADER_BYTES;
    }
    this.#parts = this.#held.length === 0 ? [] : [this.#held];
    this.#heldBytes = this.#held.length;
  }
}

function messageBytesOf(frame: Buffer): number {
  if (frame[0] !== 0) throw new StatusError(StatusCode.unimplemented, 'Compressed messages are not understood.');
  const bytes = frame.readUInt32BE(1);
  if (bytes > MAX_MESSAGE_BYTES) {
    throw new StatusError(
      StatusCode.resourceExhausted,
      'Received message exceeds the maximum configured message size.',
    );
  }
  return bytes;
}

/** The five bytes that go before a message of `bytes` bytes. */
export function frameHeader(bytes: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(bytes, 1);
  return header;
}
