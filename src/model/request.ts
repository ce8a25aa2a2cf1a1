import type { FieldError } from './errors.ts';
import { isId } from './ids.ts';
import { type Amounts, areEqual, isZero, parseRequirements, type Requirements } from './values/amounts.ts';
import { MAX_SPAN_MS, parseInstant } from './values/instant.ts';
import { isText, TEXT_ALLOWED, utf8Bytes } from './values/text.ts';

/** The priority classes that exist by default; others may be configured. */
export const Priority = { Critical: 'critical', High: 'high', Normal: 'normal', Low: 'low' } as const;
export type Priority = (typeof Priority)[keyof typeof Priority];

/** What a program asks for. */
export interface AllocationRequest {
  /** The caller's name for the task, unique among live leases and waiting requests; made by the manager if absent. */
  readonly id?: string;
  /** The resource the request is mainly for; one of `requirements`; default: the largest share. */
  readonly type?: string;
  readonly priority?: string;
  readonly requirements: Requirements;
  readonly owner?: string;
  readonly tier?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Accept less, down to this. */
  readonly minimum?: Requirements;
  readonly ttlMs?: number;
  /** How long to wait for room; 0 = answer now. */
  readonly waitMs?: number;
  /** Instant after which the request is of no use; integer Unix ms or RFC 3339. */
  readonly deadline?: number | string;
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** A request whose fields have the right form, amounts in base units. What depends on the configuration is not judged yet. */
export interface RequestSpec {
  readonly id: string;
  readonly type: string | null;
  readonly priority: string | null;
  readonly owner: string;
  readonly tier: string | null;
  readonly requirements: Requirements;
  readonly amounts: Amounts;
  readonly minimum: Amounts | null;
  readonly labels: Readonly<Record<string, string>> | null;
  readonly ttlMs: number | null;
  readonly waitMs: number;
  /** Unix ms. */
  readonly deadline: number | null;
  readonly idempotencyKey: string | null;
  /** True for `respond-async`: the waiter survives the loss of its caller, as one with a key does. */
  readonly detached: boolean;
}

/** What two requests with one key must have in common: neither how they wait, nor a name that the manager made. */
export function requestBody(request: RequestSpec, madeId: string): object {
  const { requirements, idempotencyKey, detached, waitMs, id, ...body } = request;
  return { ...body, id: id === madeId ? null : id };
}

/** A key, or `respond-async`, lets a caller come back for it: it outlives its caller and its writer. */
export const standsAlone = ({ idempotencyKey, detached }: RequestSpec): boolean => detached || idempotencyKey !== null;

/** They ask for the same in the same way: only the names of the tasks and the keys may differ. */
export const areAlike = (a: RequestSpec, b: RequestSpec): boolean =>
  a.owner === b.owner &&
  a.priority === b.priority &&
  a.type === b.type &&
  a.tier === b.tier &&
  a.ttlMs === b.ttlMs &&
  a.waitMs === b.waitMs &&
  a.deadline === b.deadline &&
  a.detached === b.detached &&
  areEqual(a.amounts, b.amounts) &&
  areEqual(a.requirements, b.requirements) &&
  areEqual(a.minimum, b.minimum) &&
  areEqual(a.labels, b.labels);

export const DEFAULT_OWNER = 'anonymous';
const MAX_LABELS = 64;
/** Of all labels of a request in sum, names and texts, in UTF-8. Logs of before this limit are read as they are. */
export const MAX_LABELS_BYTES = 4_096;
const KNOWN = new Set([
  'id',
  'type',
  'priority',
  'requirements',
  'owner',
  'tier',
  'labels',
  'minimum',
  'ttlMs',
  'waitMs',
  'deadline',
  'idempotencyKey',
  'signal',
]);

/**
 * Gives a request its normal form, or adds every wrong field to `errors`. `madeId` names the task if the caller did not.
 * `path` stands before the field names in errors ("requests.0." for the first member of a list).
 */
export function parseRequest(input: unknown, madeId: string, errors: FieldError[], path = ''): RequestSpec | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    errors.push({ path: path.replace(/\.$/, '') || 'request', value: input, allowed: 'an object with requirements' });
    return undefined;
  }
  const before = errors.length;
  const fields = input as Record<string, unknown>;
  for (const name in fields)
    if (!KNOWN.has(name))
      errors.push({
        path: path + name,
        value: fields[name],
        allowed: `no such field; known: ${[...KNOWN].join(', ')}`,
      });
  const spec: RequestSpec = {
    id: idField(fields, 'id', path, errors) ?? madeId,
    type: idField(fields, 'type', path, errors),
    priority: idField(fields, 'priority', path, errors),
    owner: idField(fields, 'owner', path, errors) ?? DEFAULT_OWNER,
    tier: idField(fields, 'tier', path, errors),
    requirements: fields['requirements'] as Requirements,
    amounts: parseRequirements(fields['requirements'], `${path}requirements`, errors),
    minimum: fields['minimum'] == null ? null : parseRequirements(fields['minimum'], `${path}minimum`, errors),
    labels: labelsField(fields['labels'], `${path}labels`, errors),
    ttlMs: msField(fields, 'ttlMs', 1, path, errors),
    waitMs: msField(fields, 'waitMs', 0, path, errors) ?? 0,
    deadline: deadlineField(fields['deadline'], `${path}deadline`, errors),
    idempotencyKey: idField(fields, 'idempotencyKey', path, errors),
    detached: false,
  };
  judgeAmounts(spec, path, errors, before);
  return errors.length === before ? spec : undefined;
}

function judgeAmounts(spec: RequestSpec, path: string, errors: FieldError[], before: number): void {
  if (errors.length > before) return;
  if (isZero(spec.amounts))
    errors.push({ path: `${path}requirements`, value: spec.requirements, allowed: 'at least one amount above zero' });
  if (spec.type !== null && !Object.hasOwn(spec.amounts, spec.type)) {
    errors.push({
      path: `${path}type`,
      value: spec.type,
      allowed: `one of the requirements: ${Object.keys(spec.amounts).join(', ')}`,
    });
  }
  if (spec.minimum === null) return;
  for (const dimension in spec.minimum) {
    if (!(spec.minimum[dimension]! <= (spec.amounts[dimension] ?? -1))) {
      errors.push({
        path: `${path}minimum.${dimension}`,
        value: spec.minimum[dimension],
        allowed: 'at most the amount in requirements',
      });
    }
  }
}

function idField(fields: Record<string, unknown>, name: string, path: string, errors: FieldError[]): string | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  if (isId(value)) return value;
  errors.push({ path: path + name, value, allowed: '1 to 128 of the characters A-Z a-z 0-9 . _ : -' });
  return null;
}

function msField(
  fields: Record<string, unknown>,
  name: string,
  min: number,
  path: string,
  errors: FieldError[],
): number | null {
  const value = fields[name];
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= MAX_SPAN_MS) return value;
  errors.push({ path: path + name, value, allowed: `whole milliseconds from ${min} to ${MAX_SPAN_MS}` });
  return null;
}

function deadlineField(value: unknown, path: string, errors: FieldError[]): number | null {
  if (value === undefined || value === null) return null;
  const instant = parseInstant(value);
  if (instant === undefined) errors.push({ path, value, allowed: 'integer Unix ms, or an RFC 3339 date-time' });
  return instant ?? null;
}

function labelsField(value: unknown, path: string, errors: FieldError[]): Readonly<Record<string, string>> | null {
  if (value === undefined || value === null) return null;
  const entries = typeof value === 'object' && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (entries === undefined || entries.length > MAX_LABELS) {
    errors.push({
      path,
      value: entries ? `${entries.length} labels` : value,
      allowed: `an object of at most ${MAX_LABELS} texts by name`,
    });
    return null;
  }
  for (const [name, text] of entries) {
    if (!isId(name) || name === '__proto__')
      errors.push({ path, value: name, allowed: 'label names of 1 to 128 of A-Z a-z 0-9 . _ : -' });
    else if (!isText(text)) errors.push({ path: `${path}.${name}`, value: text, allowed: TEXT_ALLOWED });
  }
  judgeBytes(entries, path, errors);
  return Object.fromEntries(entries) as Record<string, string>;
}

function judgeBytes(entries: readonly (readonly [string, unknown])[], path: string, errors: FieldError[]): void {
  let bytes = 0;
  for (const [name, text] of entries) bytes += utf8Bytes(name) + (typeof text === 'string' ? utf8Bytes(text) : 0);
  if (bytes <= MAX_LABELS_BYTES) return;
  const allowed = `labels of at most ${MAX_LABELS_BYTES} bytes in all, names and texts in UTF-8`;
  errors.push({ path, value: `${bytes} bytes`, allowed });
}
