import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';

/**
 * POSIX drops all locks that a process has on a file as soon as it closes any descriptor of it. So a file that sqlite has open in this
 * process is not closed by us before sqlite has closed it. By device and inode. The locks are those of the process and this list is that
 * of one thread: no other thread may open raw files of a log (that of a checkpoint opens it in sqlite alone).
 */
const inSqlite = new Map<string, { connections: number; readonly waiting: number[] }>();

const nameOf = ({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string => `${dev}:${ino}`;

/** Opens a file to be read outside sqlite; undefined if it is not there. */
export function openRaw(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** At once, or when sqlite has closed the file. */
export function closeRaw(descriptor: number): void {
  const held = inSqlite.get(nameOf(fstatSync(descriptor, { bigint: true })));
  if (held === undefined) closeSync(descriptor);
  else held.waiting.push(descriptor);
}

/** Sqlite has opened the file; what is answered is to be called when it has closed it. */
export function heldBySqlite(path: string): () => void {
  const name = nameOf(statSync(path, { bigint: true }));
  const held = inSqlite.get(name) ?? { connections: 0, waiting: [] };
  inSqlite.set(name, held);
  held.connections += 1;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    held.connections -= 1;
    if (held.connections > 0) return;
    inSqlite.delete(name);
    for (const descriptor of held.waiting) closeSync(descriptor);
  };
}
