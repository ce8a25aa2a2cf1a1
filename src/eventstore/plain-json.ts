/** The place in a value that JSON cannot carry as it is, and why. */
export interface NotPlain {
  /** Such as `data.request.amounts.memory`. */
  readonly path: string;
  readonly reason: string;
}

const MAX_DEPTH = 64;

/**
 * Undefined if `value` comes back from JSON exactly as it goes in; else the first place where it would not. A store asks
 * before it writes anything, because a client may hang on a BigInt or a cycle, and JSON.stringify drops or changes the rest
 * without a word. One exception: -0 is written as 0, as RFC 8785 has it; the two are equal.
 */
export function findNotPlain(value: unknown, path: string, depth = 0): NotPlain | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { path, reason: `${value} is no JSON number` };
    case 'object':
      if (value === null) return undefined;
      if (depth >= MAX_DEPTH) return { path, reason: `nested deeper than ${MAX_DEPTH} levels, or a cycle` };
      return Array.isArray(value) ? inArray(value, path, depth) : inObject(value, path, depth);
    default:
      return { path, reason: `a ${typeof value} has no JSON form` };
  }
}

function inArray(items: readonly unknown[], path: string, depth: number): NotPlain | undefined {
  if (typeof (items as { toJSON?: unknown }).toJSON === 'function') return { path, reason: 'toJSON would change it' };
  for (let i = 0; i < items.length; i++) {
    const found = findNotPlain(items[i], `${path}[${i}]`, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inObject(value: object, path: string, depth: number): NotPlain | undefined {
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    return { path, reason: `a ${value.constructor?.name ?? 'class instance'} is no plain object` };
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return { path, reason: 'toJSON would change it' };
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return { path: `${path}.${key}`, reason: 'the key __proto__ is not allowed' };
    const item = (value as Record<string, unknown>)[key];
    if (isLeaf(item)) continue;
    const found = findNotPlain(item, `${path}.${key}`, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The common cases, so that no path is built for them. */
const isLeaf = (value: unknown): boolean =>
  typeof value === 'string' ||
  typeof value === 'boolean' ||
  value === null ||
  (typeof value === 'number' && Number.isFinite(value));
