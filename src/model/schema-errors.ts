import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { FieldError } from './errors.ts';

interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** Every wrong field of `value`, with what the schema allows there: its description where it has one. */
export function schemaErrors(schema: TSchema, value: unknown, prefix = ''): FieldError[] {
  const found = new Map<string, FieldError>();
  for (const error of Value.Errors(schema, value) as Iterable<SchemaError>) {
    for (const path of pathsOf(error)) {
      if (!found.has(path))
        found.set(path, { path: prefix + path, value: valueAt(value, path), allowed: allowedAt(schema, path, error) });
    }
  }
  return [...found.values()];
}

/** A missing or unknown property is reported at the property, not at the object around it. */
function pathsOf(error: SchemaError): string[] {
  const base = error.instancePath.slice(1).replaceAll('/', '.');
  const params = error.params as { requiredProperties?: string[]; additionalProperties?: string[] };
  const names = params.requiredProperties ?? params.additionalProperties;
  return names === undefined ? [base] : names.map((name) => (base === '' ? name : `${base}.${name}`));
}

function valueAt(value: unknown, path: string): unknown {
  let at = value;
  for (const name of path === '' ? [] : path.split('.')) {
    at =
      typeof at === 'object' && at !== null && Object.hasOwn(at, name)
        ? (at as Record<string, unknown>)[name]
        : undefined;
  }
  return at;
}

interface AnySchema {
  readonly description?: string;
  readonly properties?: Record<string, AnySchema>;
  readonly additionalProperties?: AnySchema | boolean;
  readonly patternProperties?: Record<string, AnySchema>;
  readonly items?: AnySchema;
}

function allowedAt(schema: TSchema, path: string, error: SchemaError): string {
  let at: AnySchema | undefined = schema as AnySchema;
  for (const name of path === '' ? [] : path.split('.')) {
    const next: AnySchema | undefined =
      at?.items ?? at?.properties?.[name] ?? Object.values(at?.patternProperties ?? {})[0];
    if (next === undefined && at?.properties !== undefined)
      return `no such field; known: ${Object.keys(at.properties).join(', ')}`;
    at = next;
  }
  return at?.description ?? error.message.replace(/^must (be |have |match )?/, '');
}
