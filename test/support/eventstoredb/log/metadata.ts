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
const LONGEST_AGE_SECONDS = 922_337_203_685;

export const isSoftDeleted = (metadata: StreamMetadata): boolean => metadata.truncateBefore === TOMBSTONE_REVISION;

/**
 * The metadata in the data of a metadata event. All of it counts as absent if one key that the server knows has a
 * value of the wrong kind, or if it is no JSON object; values out of range count as absent alone.
 */
export function parseStreamMetadata(data: Uint8Array): StreamMetadata {
  const json = parseObject(data);
  if (json === undefined || !hasValidKeys(json)) return NO_METADATA;
  const maxCount = numberAbove(json['$maxCount'], 0n);
  const maxAgeSeconds = numberAbove(json['$maxAge'], 0n);
  const truncateBefore = numberAbove(json['$tb'], -1n);
  return {
    ...(maxCount === undefined ? {} : { maxCount }),
    ...(maxAgeSeconds === undefined ? {} : { maxAgeMs: maxAgeSeconds * 1_000 }),
    ...(truncateBefore === undefined ? {} : { truncateBefore }),
  };
}

/** The same JSON with `$tb` set, other keys kept; undefined for what is no JSON object. */
export function withTruncateBefore(data: Uint8Array, revision: number): string | undefined {
  const json = parseObject(data);
  if (json === undefined) return undefined;
  return stringifyExactly({ ...json, $tb: BigInt(revision) });
}

type JsonObject = Readonly<Record<string, unknown>>;

/** A number as it was written, so that 64-bit integers and forms such as 1.0 survive. */
class WrittenNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type SourceReviver = (key: string, value: unknown, context: { source?: string }) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver: SourceReviver) => unknown;
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

function parseObject(data: Uint8Array): JsonObject | undefined {
  try {
    const json = parseWithSource(Buffer.from(data).toString('utf8'), (_key, value, { source }) =>
      typeof value === 'number' ? new WrittenNumber(source ?? String(value)) : value,
    );
    const isObject = typeof json === 'object' && json !== null && !Array.isArray(json);
    return isObject && !(json instanceof WrittenNumber) ? (json as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}

function stringifyExactly(json: JsonObject): string {
  return JSON.stringify(json, (_key, value: unknown) => {
    if (value instanceof WrittenNumber) return rawJson(value.text);
    return typeof value === 'bigint' ? rawJson(String(value)) : value;
  });
}

function hasValidKeys(json: JsonObject): boolean {
  const integers = ['$maxCount', '$maxAge', '$tb', '$cacheControl'];
  if (integers.some((key) => key in json && integerOf(json[key]) === undefined)) return false;
  if ((integerOf(json['$maxAge']) ?? 0n) > LONGEST_AGE_SECONDS) return false;
  if ('$tmp' in json && typeof json['$tmp'] !== 'boolean') return false;
  return !('$acl' in json) || isAcl(json['$acl']);
}

/** Only that it is well formed matters: without security nobody is refused by it. */
function isAcl(acl: unknown): boolean {
  if (typeof acl !== 'object' || acl === null || acl instanceof WrittenNumber || Array.isArray(acl)) return false;
  return Object.values(acl).every((roles) =>
    Array.isArray(roles) ? roles.every((role) => typeof role === 'string') : typeof roles === 'string',
  );
}

function integerOf(value: unknown): bigint | undefined {
  if (!(value instanceof WrittenNumber) || !/^-?\d+$/.test(value.text)) return undefined;
  const integer = BigInt(value.text);
  return integer <= LONG_MAX && integer >= -LONG_MAX - 1n ? integer : undefined;
}

function numberAbove(value: unknown, floor: bigint): number | undefined {
  const integer = integerOf(value);
  if (integer === undefined || integer <= floor) return undefined;
  return integer === LONG_MAX ? TOMBSTONE_REVISION : Number(integer);
}
