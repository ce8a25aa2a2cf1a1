import { type FieldError, invalid } from '../model/errors.ts';

type Fields = Record<string, unknown>;

function scalar(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Sets the field at `path` ("leases.graceMs") to `text`, read as JSON where it is JSON. */
export function assignPath(fields: Fields, path: string, text: string): void {
  assignText(fields, path.split('.'), text);
}

/** The same with the path in parts. */
export function assignText(fields: Fields, path: readonly string[], text: string): void {
  const value = scalar(text);
  const errors: FieldError[] = [];
  if (path.some((name) => name === '' || name === '__proto__'))
    errors.push({ path: path.join('.'), value, allowed: 'a path of field names' });
  if (errors.length > 0) throw invalid(errors, 'INVALID_CONFIG');
  let at = fields;
  for (const name of path.slice(0, -1)) {
    const next = Object.hasOwn(at, name) ? at[name] : undefined;
    at[name] = typeof next === 'object' && next !== null ? structuredClone(next) : {};
    at = at[name] as Fields;
  }
  at[path.at(-1)!] = value;
}
