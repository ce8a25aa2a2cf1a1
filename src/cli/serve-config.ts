import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { DEFAULT_POOL_CONFIG, type ResolvedConfig } from '../model/config.ts';
import { type FieldError, invalid, PoolError } from '../model/errors.ts';
import { parseConfig } from '../model/resolve-config.ts';

type Fields = Record<string, unknown>;

/** The configuration of a file, then of the environment, then of `--set` flags: later wins. Throws INVALID_CONFIG. */
export function loadConfig(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  sets: Readonly<Record<string, string>>,
): ResolvedConfig {
  const fields = file === undefined ? {} : readFile(file);
  for (const [name, path] of ENVIRONMENT) {
    const text = environment[name];
    if (text !== undefined) assign(fields, path, scalar(text));
  }
  for (const [path, text] of Object.entries(sets)) assignPath(fields, path, text);
  return parseConfig(fields);
}

function readFile(file: string): Fields {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new PoolError('INVALID_CONFIG', `--config ${file}: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  if (typeof content === 'object' && !Array.isArray(content)) return content as Fields;
  throw invalid(
    [{ path: '--config', value: content, allowed: 'a YAML or JSON file that holds an object of configuration fields' }],
    'INVALID_CONFIG',
  );
}

/** RPM_MAX_POOL_SIZE for maxPoolSize, RPM_BREAKER_OPEN_MS for breaker.openMs, RPM_TIERS (JSON) for tiers, and so on. */
export const ENVIRONMENT: ReadonlyMap<string, readonly string[]> = new Map(
  paths().map((path) => [variable(path), path]),
);

function paths(): (readonly string[])[] {
  return Object.entries(DEFAULT_POOL_CONFIG).flatMap(([name, value]) => [
    [name],
    ...(isSection(value) ? Object.keys(value).map((field) => [name, field]) : []),
  ]);
}

const isSection = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function variable(path: readonly string[]): string {
  return `RPM_${path.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')}`;
}

function scalar(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Sets the field at `path` ("leases.graceMs") to `text`, read as JSON where it is JSON. */
export function assignPath(fields: Fields, path: string, text: string): void {
  assign(fields, path.split('.'), scalar(text));
}

function assign(fields: Fields, path: readonly string[], value: unknown): void {
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
