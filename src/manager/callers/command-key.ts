import { createHash } from 'node:crypto';
import { invalid } from '../../model/errors.ts';
import type { CommandKey } from '../../model/idempotency.ts';
import { isId } from '../../model/ids.ts';
import { canonicalJson } from '../../model/values/canonical.ts';

/** 22 characters of base64url hold 132 bits of the SHA-256: more than anybody can make two bodies meet in. */
const DIGEST_LENGTH = 22;

/** A caller's key with the digest of what it asks for. `body` is plain JSON in its normal form. Throws INVALID_REQUEST. */
export function commandKey(key: string | null | undefined, body: unknown): CommandKey | undefined {
  if (key === null || key === undefined) return undefined;
  if (!isId(key)) {
    const allowed = '1 to 128 of the characters A-Z a-z 0-9 . _ : -';
    throw invalid([{ path: 'idempotencyKey', value: key, allowed }]);
  }
  const digest = createHash('sha256').update(canonicalJson(body)).digest('base64url');
  return { key, body: digest.slice(0, DIGEST_LENGTH) };
}
