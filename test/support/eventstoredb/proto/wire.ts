const VARINT = 0;
const LENGTH_DELIMITED = 2;
const INITIAL_BYTES = 512;

/**
 * Writes protobuf fields straight into bytes (https://protobuf.dev/programming-guides/encoding). For the two answers
 * where the generated classes do not serve: events, of which a read sends millions, and the 64-bit fields that those
 * classes hold as numbers, so that 2^64-1 cannot be written.
 */
export class WireWriter {
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  uint64(field: number, value: bigint | number): this {
    this.#tag(field, VARINT);
    if (typeof value === 'number') this.#varint(value);
    else this.#bigVarint(BigInt.asUintN(64, value));
    return this;
  }

  text(field: number, value: string): this {
    const bytes = Buffer.byteLength(value);
    this.#tag(field, LENGTH_DELIMITED);
    this.#varint(bytes);
    this.#reserve(bytes);
    this.#length += this.#buffer.write(value, this.#length);
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#tag(field, LENGTH_DELIMITED);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** A message field, with what `write` writes in it; without `write`, an empty one. */
  message(field: number, write?: (writer: this) => void): this {
    this.#tag(field, LENGTH_DELIMITED);
    const lengthAt = this.#length;
    this.#varint(0);
    write?.(this);
    this.#insertLength(lengthAt);
    return this;
  }

  /** One byte was kept for the length; a longer one moves the message up. */
  #insertLength(lengthAt: number): void {
    const bytes = this.#length - lengthAt - 1;
    const lengthBytes = varintBytes(bytes);
    this.#reserve(lengthBytes);
    this.#buffer.copyWithin(lengthAt + lengthBytes, lengthAt + 1, this.#length);
    const end = this.#length + lengthBytes - 1;
    this.#length = lengthAt;
    this.#varint(bytes);
    this.#length = end;
  }

  #tag(field: number, type: number): void {
    this.#varint(field * 8 + type);
  }

  #varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 127) {
      this.#buffer[this.#length++] = (rest % 128) + 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  #bigVarint(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 127n) {
      this.#buffer[this.#length++] = Number(rest & 127n) + 128;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
