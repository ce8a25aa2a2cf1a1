import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of its own in memory where the machine has one: what is tried here is the bytes, not the disk. */
export function fastFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'rpm-faults-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
