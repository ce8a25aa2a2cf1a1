import canonicalize from 'canonicalize';

/** Canonical JSON (RFC 8785): equal values give equal texts, whatever the order of their keys. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  return text;
}
