import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isSealed } from './codes.ts';
import { fileUri } from './url.ts';

/** How long a reader waits for a lock, ms. A writer holds none that readers wait for. */
const READER_WAITS_MS = 1_000;

/** A connection that writes nothing. In a folder that cannot be written, too, where sqlite cannot make the files that it shares with a writer. */
export function openToRead(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: READER_WAITS_MS });
  try {
    db.prepare('PRAGMA schema_version').get();
    return db;
  } catch (error) {
    db.close();
    if (!isSealed(error) || canBeWritten(dirname(path))) throw error;
    return openSealed(path);
  }
}

/**
 * Nobody writes here, or the files that a writer shares with its readers would be there: so no lock is needed. What was left in a
 * write-ahead log is read with its index in memory; without one sqlite is told that nothing will change.
 */
function openSealed(path: string): DatabaseSync {
  if (!hasBytes(`${path}-wal`)) return new DatabaseSync(fileUri(path, 'immutable=1'), { readOnly: true });
  const db = new DatabaseSync(fileUri(path, 'vfs=unix-none'), { readOnly: true });
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  return db;
}

function canBeWritten(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const hasBytes = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0;

/**
 * Closes a connection without moving the write-ahead log into the file, which the last one to close does: that would write, to a disk
 * that may have failed or be full. Another, that only reads, is closed last.
 */
export function closeAsItIs(db: DatabaseSync, path: string): void {
  const last = beside(path);
  try {
    db.close();
  } finally {
    last?.close();
  }
}

function beside(path: string): DatabaseSync | undefined {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: 0 });
    db.prepare('PRAGMA schema_version').get();
    return db;
  } catch {
    db?.close();
    return undefined;
  }
}
