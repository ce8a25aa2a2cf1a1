const SLICE_BYTES = 4_096;

/** Base64 (RFC 4648) of the words' bytes in the order of the machine, which is little-endian. */
export function toBase64(words: Int32Array): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  let binary = '';
  for (let at = 0; at < bytes.length; at += SLICE_BYTES)
    binary += String.fromCharCode.apply(null, bytes.subarray(at, at + SLICE_BYTES) as unknown as number[]);
  return btoa(binary);
}

/** Fills `words` with what `toBase64` has written of as many. Throws RangeError if it is of another length. */
export function fromBase64(text: string, words: Int32Array): void {
  const binary = atob(text);
  if (binary.length !== words.byteLength) throw new RangeError(`${binary.length} bytes, not ${words.byteLength}`);
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
}
