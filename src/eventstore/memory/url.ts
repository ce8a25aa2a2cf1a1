import { type FieldError, invalid } from '../../model/errors.ts';
import { DEFAULT_BOUNDS, type MemoryBounds } from './store.ts';

interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
}

/** A pool looks back a little to go on: so much it keeps in any case. */
const RANGES: Readonly<Record<keyof MemoryBounds, Range>> = {
  events: { min: 1_000, max: 1_000_000_000, unit: 'events' },
  bytes: { min: 2 ** 20, max: 2 ** 40, unit: 'bytes' },
};
const NAMES = Object.keys(RANGES) as (keyof MemoryBounds)[];

/** The bounds that `memory:?events=N&bytes=M` names. Throws INVALID_CONFIG naming every wrong parameter and what is allowed. */
export function parseMemoryUrl(url: string): Required<MemoryBounds> {
  const bounds = { ...DEFAULT_BOUNDS };
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [name, text] of new URLSearchParams(url.slice('memory:'.length))) {
    const known = NAMES.find((each) => each === name);
    if (known === undefined)
      errors.push({ path: `store.${name}`, value: text, allowed: `no such parameter; ${nearest(name)}` });
    else if (seen.has(name)) errors.push({ path: `store.${name}`, value: text, allowed: 'once' });
    else bounds[known] = numberIn(known, text, errors);
    seen.add(name);
  }
  if (errors.length > 0) throw invalid(errors, 'INVALID_CONFIG');
  return bounds;
}

function numberIn(name: keyof MemoryBounds, text: string, errors: FieldError[]): number {
  const { min, max, unit } = RANGES[name];
  const value = /^[0-9]{1,13}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    errors.push({ path: `store.${name}`, value: text, allowed: `a whole number of ${unit} from ${min} to ${max}` });
  return value;
}

/** The known one that has the most letters in common with it, in their order. */
function nearest(name: string): string {
  const [best] = NAMES.toSorted((a, b) => inCommon(b, name) - inCommon(a, name));
  const known = NAMES.join(', ');
  return inCommon(best!, name) * 2 >= best!.length ? `did you mean ${best}? known: ${known}` : `known: ${known}`;
}

/** Letters of `known` that `name` has in the same order. */
function inCommon(known: string, name: string): number {
  let [count, from] = [0, 0];
  for (const letter of known) {
    const at = name.toLowerCase().indexOf(letter, from);
    if (at < 0) continue;
    count += 1;
    from = at + 1;
  }
  return count;
}
