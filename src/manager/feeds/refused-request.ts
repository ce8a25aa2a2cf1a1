import { MAX_LABELS_BYTES, type RequestSpec } from '../../model/request.ts';
import { utf8Bytes } from '../../model/values/text.ts';

/** The most that a refused request takes in the audit stream, in bytes of its JSON. */
export const MAX_REFUSED_BYTES = MAX_LABELS_BYTES;

interface Cut {
  readonly request: RequestSpec;
  /** Fields of which something was left out; empty = it is whole. */
  readonly leftOut: readonly string[];
}

const bytesOf = (value: unknown): number => utf8Bytes(JSON.stringify(value));

/**
 * A refused request as it is recorded, cut to `MAX_REFUSED_BYTES`: whoever is refused pays nothing, so what is written of it is
 * bounded. First go the labels, from the last on: no decision looks at them. Then, if there are very many dimensions, how the
 * amounts were written, and the minimum; without that a what-if may judge the request otherwise.
 */
export function cutRequest(request: RequestSpec): Cut {
  let over = bytesOf(request) - MAX_REFUSED_BYTES;
  if (over <= 0) return { request, leftOut: [] };
  const labels = Object.entries(request.labels ?? {});
  const leftOut = labels.length === 0 ? [] : ['labels'];
  while (over > 0 && labels.length > 0) over -= bytesOf(labels.pop()) - 1;
  let cut: RequestSpec = { ...request, labels: labels.length === 0 ? null : Object.fromEntries(labels) };
  for (const [field, without] of [
    ['requirements', {}],
    ['minimum', null],
  ] as const) {
    if (bytesOf(cut) <= MAX_REFUSED_BYTES) break;
    cut = { ...cut, [field]: without };
    leftOut.push(field);
  }
  return { request: cut, leftOut };
}
