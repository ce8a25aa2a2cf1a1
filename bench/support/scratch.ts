import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';

/** A new folder on the disk that the project lies on (the system's own for scratch files may be held in memory), gone at the end. */
export function scratchFolder(): string {
  mkdirSync('.tmp', { recursive: true });
  const folder = mkdtempSync('.tmp/bench-');
  process.once('exit', () => rmSync(folder, { recursive: true }));
  return folder;
}
