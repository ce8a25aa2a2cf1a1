import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { PoolError } from '../../model/errors.ts';

const SCHEME = 'sqlite:';
/** `file:` with an empty authority or localhost, or none, and no query or fragment. */
const FILE_URI = /^file:(?:\/\/(?:localhost)?(?=\/)|(?!\/\/))([^?#]*)$/;
const ALLOWED = 'sqlite:<path of a file>, or sqlite:file:<path, percent-encoded> without a query';

/**
 * The absolute path of the file that a `sqlite:` URL names, without symbolic links: the log, its lock, its mark and its snapshots are
 * all found from it, so that every name of a file leads to the same ones, whoever opens it and whatever the working folder becomes.
 * The file itself need not be there yet. Throws INVALID_CONFIG with the value and what is allowed; NOT_FOUND for a folder that is missing.
 */
export function sqlitePath(url: string): string {
  const rest = url.slice(SCHEME.length);
  const named = rest.startsWith('file:') ? fromUri(url, rest) : fromPath(url, rest);
  if (named.trim() === '') throw refused(url, 'it names no file');
  if (named.includes('\0')) throw refused(url, 'a path holds no NUL');
  if (basename(named) === ':memory:')
    throw refused(url, 'a database in memory is not durable', `memory: for a log in memory, ${ALLOWED}`);
  if (named.endsWith('/')) throw refused(url, 'it names a folder');
  return realPath(url, resolve(named));
}

/** The URL by which the file at an absolute path is opened again. */
export const sqliteUrl = (path: string): string =>
  path.includes('?') ? `${SCHEME}${fileUri(path)}` : `${SCHEME}${path}`;

/** As sqlite reads it: with `parameters` behind the path. */
export function fileUri(path: string, parameters = ''): string {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return `file:${encoded}${parameters === '' ? '' : `?${parameters}`}`;
}

function fromPath(url: string, path: string): string {
  if (path.includes('?')) throw refused(url, 'it takes no query', `${ALLOWED}; a ? in a name is written %3F there`);
  return path;
}

/** sqlite would take this form too, but for the file alone, and with queries that mean another file, or none. */
function fromUri(url: string, uri: string): string {
  const path = FILE_URI.exec(uri)?.[1];
  if (path === undefined) throw refused(url, 'a file: URI takes no host, query or fragment');
  try {
    return decodeURIComponent(path);
  } catch {
    throw refused(url, 'its percent-encoding is wrong');
  }
}

function realPath(url: string, path: string): string {
  const folder = realFolder(url, dirname(path));
  const plain = join(folder, basename(path));
  const there = lstatSync(plain, { throwIfNoEntry: false });
  if (there === undefined) return plain;
  const real = there.isSymbolicLink() ? target(url, plain) : plain;
  refuseOtherKinds(url, statSync(real));
  return real;
}

function realFolder(url: string, folder: string): string {
  try {
    return realpathSync(folder);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw refused(url, (cause as Error).message);
    throw new PoolError('NOT_FOUND', `store: there is no folder ${folder}`, { details: { path: folder }, cause });
  }
}

function target(url: string, link: string): string {
  try {
    return realpathSync(link);
  } catch {
    throw refused(url, 'it is a symbolic link to nothing');
  }
}

function refuseOtherKinds(url: string, stats: Stats): void {
  if (stats.isDirectory()) throw refused(url, 'it names a folder');
  if (!stats.isFile()) throw refused(url, 'it is no regular file');
}

function refused(url: string, why: string, allowed = ALLOWED): PoolError {
  return new PoolError('INVALID_CONFIG', `store: ${JSON.stringify(url)} is not allowed: ${why}; allowed: ${allowed}`, {
    details: { errors: [{ path: 'store', value: url, allowed }] },
  });
}

/**
 * A file with several names would have a lock and a write-ahead log beside each, and so a writer at each. Throws INVALID_CONFIG naming
 * the file and how many names it has.
 */
export function refuseSeveralNames(path: string): void {
  const links = lstatSync(path, { throwIfNoEntry: false })?.nlink ?? 1;
  if (links <= 1) return;
  throw new PoolError(
    'INVALID_CONFIG',
    `store: ${path} has ${links} names (hard links), and a log has one; remove the others, or serve a copy of it`,
    { details: { path, links } },
  );
}
