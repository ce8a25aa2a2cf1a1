import canonicalize from 'canonicalize';

/** Canonical JSON (RFC 8785): equal values give equal texts, whatever the order of their keys. */
export function canonicalJson(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError(`a ${typeof value} has no JSON form`);
  return text;
}

const known = new WeakMap<object, string>();

/** As `canonicalJson`, of an object whose members are never changed in place: what one of them came to once is not written again. */
export function canonicalMembers(whole: object): string {
  const members = Object.entries(whole).filter(([, value]) => value !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1)); // by UTF-16 units, as RFC 8785 wants
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`).join(',')}}`;
}

function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return canonicalJson(value);
  let text = known.get(value);
  if (text === undefined) {
    text = canonicalJson(value);
    known.set(value, text);
  }
  return text;
}
