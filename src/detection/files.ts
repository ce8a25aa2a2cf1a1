import { readFileSync, statSync } from 'node:fs';

/** A file of the kernel does not hold what its format promises; nothing may be guessed from it. */
export class MalformedFile extends Error {
  constructor(path: string, text: string, expected: string) {
    super(`${path}: ${JSON.stringify(text.slice(0, 100))} is not ${expected}`);
    this.name = 'MalformedFile';
  }
}

/** Nothing has that name. Any other error (no descriptor left, no permission, an I/O error) says nothing about what is there. */
export const isAbsence = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
};

export const readText = (path: string): string => readFileSync(path, 'utf8');

/** The text of a file, or undefined if there is no such file. Throws where that cannot be told. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

/** Whether something has that name. Throws where that cannot be told. */
export function isThere(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (isAbsence(error)) return false;
    throw error;
  }
}

/** The text of a file that nothing depends on: a hint, which may be absent, hidden or switched off by any of a dozen error codes. */
export function readHint(path: string): string | undefined {
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
