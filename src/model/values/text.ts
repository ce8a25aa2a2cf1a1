const MAX_CHARACTERS = 256;
export const TEXT_ALLOWED = `a text of at most ${MAX_CHARACTERS} characters, without half a surrogate pair`;

/** Half a surrogate pair has no UTF-8 (RFC 7493) and no canonical JSON (RFC 8785): a log that held one had no hash. */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_CHARACTERS && value.isWellFormed();

/** How many bytes a well-formed text has in UTF-8 (RFC 3629). */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    // Each half of a surrogate pair stands for two of the pair's four bytes.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2;
  }
  return bytes;
}
