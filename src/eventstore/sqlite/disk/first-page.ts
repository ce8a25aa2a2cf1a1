import { DamagedLogError } from '../../errors.ts';
import { PAGE_BYTES, refuseOthers } from '../schema.ts';
import type { Pages } from './pages.ts';

/** It begins with the file's head, and holds the description of the tables. */
export const FIRST_PAGE = 1;

const MAGIC = 'SQLite format 3\0';
/** The bytes of the head that never change in our files: where, how many, and their value (https://www.sqlite.org/fileformat2.html#the_database_header). */
const FIXED: readonly (readonly [what: string, at: number, bytes: number, value: number])[] = [
  ['page size', 16, 2, PAGE_BYTES],
  ['reserved bytes', 20, 1, 0],
  ['payload fractions', 21, 3, 0x40_20_20],
  ['schema format', 44, 4, 4],
  ['default cache size', 48, 4, 0],
  ['auto_vacuum', 52, 4, 0],
  ['text encoding', 56, 4, 1],
  ['incremental vacuum', 64, 4, 0],
  ['reserved for expansion', 72, 4, 0],
  ['reserved for expansion', 76, 4, 0],
  ['reserved for expansion', 80, 4, 0],
  ['reserved for expansion', 84, 4, 0],
  ['reserved for expansion', 88, 4, 0],
];

/** A file that was begun and holds nothing yet: sqlite has made its head, and no table lies in it. */
export function isBlank(pages: Pages): boolean {
  if (pages.count !== 1) return false;
  const page = pages.page(FIRST_PAGE);
  return isSqlite(page) && page.readUInt32BE(68) === 0 && page.readUInt16BE(103) === 0 && page.readUInt32BE(40) === 0;
}

const isSqlite = (page: Buffer): boolean => page.toString('latin1', 0, 16) === MAGIC;

/** Throws DamagedLogError if the head is none that we write, INVALID_CONFIG if it is another program's. */
export function headerOf(pages: Pages): { readonly hasFreePages: boolean } {
  const { path } = pages;
  const page = pages.page(FIRST_PAGE);
  if (!isSqlite(page)) throw new DamagedLogError(path, 'file is not a database');
  refuseOthers(page.readUInt32BE(68), page.readUInt32BE(60), path);
  for (const [what, at, bytes, value] of FIXED) {
    const found = page.readUIntBE(at, bytes);
    if (found !== value) throw new DamagedLogError(path, `its header says ${what} = ${found}`);
  }
  const version = page.readUInt16BE(18);
  if (version !== 0x0202 && version !== 0x0101)
    throw new DamagedLogError(
      path,
      `its header says version ${version >> 8} for writing, ${version & 255} for reading`,
    );
  const [said, trunk, free] = [page.readUInt32BE(28), page.readUInt32BE(32), page.readUInt32BE(36)];
  if (said !== pages.count) throw new DamagedLogError(path, `its header says ${said} pages; there are ${pages.count}`);
  if ((trunk === 0) !== (free === 0) || trunk > said || free >= said)
    throw new DamagedLogError(path, `its header says ${free} free pages, the first being ${trunk}`);
  return { hasFreePages: free > 0 };
}
