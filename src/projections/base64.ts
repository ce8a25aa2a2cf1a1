const SLICE_BYTES = 8_192;

/** Base64 (RFC 4648) of the words' bytes in the order of the machine, which is little-endian. */
export function toBase64(words: Uint32Array): string {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  let binary = '';
  for (let at = 0; at < bytes.length; at += SLICE_BYTES)
    binary += String.fromCharCode(...bytes.subarray(at, at + SLICE_BYTES));
  return btoa(binary);
}

/** Fills `words` with what `toBase64` has written of as many. Throws RangeError if it is of another length. */
export function fromBase64(text: string, words: Uint32Array): void {
  const binary = atob(text);
  if (binary.length !== words.byteLength) throw new RangeError(`${binary.length} bytes, not ${words.byteLength}`);
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  for (let at = 0; at < bytes.length; at++) bytes[at] = binary.charCodeAt(at);
}
