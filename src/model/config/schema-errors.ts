import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import type { FieldError } from '../errors.ts';

interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/** Names from the value down to the field. They may hold dots: ids do. */
type Path = readonly string[];

/** Every wrong field of `value`, with what the schema allows there: its description where it has one. */
export function schemaErrors(schema: TSchema, value: unknown, prefix = ''): FieldError[] {
  const found = new Map<string, FieldError>();
  for (const error of Value.Errors(schema, value) as Iterable<SchemaError>) {
    for (const names of pathsOf(error)) {
      const path = prefix + names.join('.');
      if (!found.has(path))
        found.set(path, { path, value: valueAt(value, names), allowed: allowedAt(schema, names, error) });
    }
  }
  return [...found.values()];
}

/** A missing or unknown property is reported at the property, not at the object around it. */
function pathsOf(error: SchemaError): Path[] {
  const base = error.instancePath.split('/').slice(1).map(unescaped);
  const params = error.params as { requiredProperties?: string[]; additionalProperties?: string[] };
  const names = params.requiredProperties ?? params.additionalProperties;
  return names === undefined ? [base] : names.map((name) => [...base, name]);
}

/** A part of a JSON pointer (RFC 6901). */
const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const name of path) {
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

function allowedAt(schema: TSchema, path: Path, error: SchemaError): string {
  let at: AnySchema | undefined = schema as AnySchema;
  for (const name of path) {
    const next: AnySchema | undefined = at?.items ?? at?.properties?.[name] ?? memberOf(at, name);
    if (next === undefined && at?.properties !== undefined)
      return `no such field; known: ${Object.keys(at.properties).join(', ')}`;
    if (next === undefined && at?.patternProperties !== undefined)
      return `names that match ${Object.keys(at.patternProperties).join(', ')}`;
    at = next;
  }
  return at?.description ?? error.message.replace(/^must (be |have |match )?/, '');
}

/** What a map's schema says of the value under this name; undefined if the name itself is not allowed. */
const memberOf = (schema: AnySchema | undefined, name: string): AnySchema | undefined =>
  Object.entries(schema?.patternProperties ?? {}).find(([pattern]) => new RegExp(pattern).test(name))?.[1];
