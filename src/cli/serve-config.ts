import { readFileSync } from 'node:fs';
import { DEFAULT_POOL_CONFIG, type ResolvedConfig } from '../model/config/config.ts';
import { parseConfig } from '../model/config/resolve-config.ts';
import { invalid, PoolError } from '../model/errors.ts';
import { assignPath, assignText } from './config-path.ts';

type Fields = Record<string, unknown>;

/** The configuration of a file, then of the environment, then of `--set` flags: later wins. Throws INVALID_CONFIG. */
export async function loadConfig(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  sets: Readonly<Record<string, string>>,
): Promise<ResolvedConfig> {
  const fields = file === undefined ? {} : await readFile(file);
  for (const [name, path] of ENVIRONMENT) {
    const text = environment[name];
    if (text !== undefined) assignText(fields, path, text);
  }
  for (const [path, text] of Object.entries(sets)) assignPath(fields, path, text);
  return parseConfig(fields);
}

async function readFile(file: string): Promise<Fields> {
  const { parse } = await import('yaml');
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

/** Of the program itself: flags of `serve`, where clients find it, and what a command under a lease is given. */
const OTHERS = ['PORT', 'HOST', 'DATA', 'CONFIG', 'STORE', 'LOG_LEVEL', 'SERVER', 'LEASE_ID', 'LEASE_TOKEN'];

/** Names that begin like the program's own and mean nothing: misspelt ones, most likely. */
export function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set([...ENVIRONMENT.keys(), ...OTHERS.map((name) => `RPM_${name}`)]);
  return Object.keys(environment).filter((name) => name.startsWith('RPM_') && !known.has(name));
}

function paths(): (readonly string[])[] {
  return Object.entries(DEFAULT_POOL_CONFIG).flatMap(([name, value]) => [
    [name],
    ...(isSection(value) ? Object.keys(value).map((field) => [name, field]) : []),
  ]);
}

function isSection(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function variable(path: readonly string[]): string {
  return `RPM_${path.map((name) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')}`;
}
