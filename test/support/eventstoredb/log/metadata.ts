import { type Json, type JsonObject, type ParsedJson, parseLenient, stringifyLenient } from './lenient-json.ts';
import { TOMBSTONE_REVISION } from './record.ts';

/** What of a stream's metadata decides which events a reader sees. */
export interface StreamMetadata {
  readonly maxCount?: number;
  readonly maxAgeMs?: number;
  /** The first revision that is kept; TOMBSTONE_REVISION after a soft delete. */
  readonly truncateBefore?: number;
}

export const NO_METADATA: StreamMetadata = {};

/** A metadata stream keeps its last event only, whatever its own metadata stream says. */
export const METASTREAM_METADATA: StreamMetadata = { maxCount: 1 };

export const SOFT_DELETED_JSON = '{"$tb":9223372036854775807}';

const LONG_MAX = 2n ** 63n - 1n;
const LONG_MIN = -(2n ** 63n);
/** The longest time span that the server can hold. */
const LONGEST_SECONDS = 922_337_203_685n;

export const isSoftDeleted = (metadata: StreamMetadata): boolean => metadata.truncateBefore === TOMBSTONE_REVISION;

/**
 * The metadata in the data of a metadata event. All of it counts as absent if one key that the server knows has a
 * value of the wrong kind, or if it is no JSON object; values out of range count as absent alone. What follows the
 * object is not looked at.
 */
export function parseStreamMetadata(data: Uint8Array): StreamMetadata {
  const text = new TextDecoder().decode(data); // which leaves out a byte order mark, as the server does here
  const json = objectIn(text, ({ hasComments }) => !hasComments);
  if (json === undefined || !hasValidKeys(json)) return NO_METADATA;
  const maxCount = numberAbove(json.get('$maxCount'), 0n);
  const maxAgeSeconds = numberAbove(json.get('$maxAge'), 0n);
  const truncateBefore = numberAbove(json.get('$tb'), -1n);
  return {
    ...(maxCount === undefined ? {} : { maxCount }),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeMs: maxAgeSeconds * 1_000 }),
    ...(truncateBefore === undefined ? {} : { truncateBefore }),
  };
}

/**
 * The same JSON with `$tb` set, other keys kept; undefined for what is no JSON object. Of a tombstone's revision the
 * real server takes the next one too, and is at the other end of its 64 bits.
 */
export function withTruncateBefore(data: Uint8Array, revision: number): string | undefined {
  const json = objectIn(Buffer.from(data).toString('utf8'), ({ isWhole }) => isWhole);
  return (
    json && stringifyLenient(new Map(json).set('$tb', revision === TOMBSTONE_REVISION ? LONG_MIN : BigInt(revision)))
  );
}

function objectIn(text: string, isAllowed: (parsed: ParsedJson) => boolean): JsonObject | undefined {
  try {
    const parsed = parseLenient(text);
    return parsed.value instanceof Map && isAllowed(parsed) ? parsed.value : undefined;
  } catch {
    return undefined;
  }
}

const DURATIONS = ['$maxAge', '$cacheControl'];
const INTEGERS = ['$maxCount', '$tb', ...DURATIONS];

function hasValidKeys(json: JsonObject): boolean {
  if (INTEGERS.some((key) => json.has(key) && integerOf(json.get(key)) === undefined)) return false;
  if (DURATIONS.some((key) => isOverlong(integerOf(json.get(key)) ?? 0n))) return false;
  if (json.has('$tmp') && typeof json.get('$tmp') !== 'boolean') return false;
  return !json.has('$acl') || isAcl(json.get('$acl'));
}

const isOverlong = (seconds: bigint): boolean => seconds > LONGEST_SECONDS || seconds < -LONGEST_SECONDS;

const ACL_KEYS = new Set(['$r', '$w', '$d', '$mr', '$mw']);

/** Only that it is well formed matters: without security nobody is refused by it. */
function isAcl(acl: Json | undefined): boolean {
  const isText = (value: Json): boolean => typeof value === 'string';
  const areRoles = (roles: Json): boolean => isText(roles) || (Array.isArray(roles) && roles.every(isText));
  return acl instanceof Map && [...acl].every(([key, roles]) => ACL_KEYS.has(key) && areRoles(roles));
}

function integerOf(value: Json | undefined): bigint | undefined {
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : undefined;
}

function numberAbove(value: Json | undefined, floor: bigint): number | undefined {
  const integer = integerOf(value);
  if (integer === undefined || integer <= floor) return undefined;
  return integer === LONG_MAX ? TOMBSTONE_REVISION : Number(integer);
}
