const MAX_CHARACTERS = 256;
export const TEXT_ALLOWED = `a text of at most ${MAX_CHARACTERS} characters, without half a surrogate pair`;

/** Half a surrogate pair has no UTF-8 (RFC 7493) and no canonical JSON (RFC 8785): a log that held one had no hash. */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_CHARACTERS && value.isWellFormed();
