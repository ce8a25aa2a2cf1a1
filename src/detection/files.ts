import { readFileSync } from 'node:fs';

/** A file of the kernel does not hold what its format promises; nothing may be guessed from it. */
export class MalformedFile extends Error {
  constructor(path: string, text: string, expected: string) {
    super(`${path}: ${JSON.stringify(text.slice(0, 100))} is not ${expected}`);
    this.name = 'MalformedFile';
  }
}

export const readText = (path: string): string => readFileSync(path, 'utf8');

/** The text of a file that may be absent, hidden or switched off; the kernel says so by any of a dozen error codes. */
export function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** A non-negative whole number as the kernel writes it. One larger than 2^53-1 comes back inexact, never smaller. */
export function parseCount(path: string, text: string): number {
  const digits = text.trim();
  if (!/^[0-9]{1,20}$/.test(digits)) throw new MalformedFile(path, text, 'a non-negative whole number');
  return Number(digits);
}

/** The number behind `key` in a file of "key value" lines, or undefined if the key is absent. */
export function countOf(path: string, text: string, key: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${key} `));
  return line === undefined ? undefined : parseCount(path, line.slice(key.length + 1));
}
