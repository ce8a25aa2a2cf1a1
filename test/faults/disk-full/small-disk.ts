import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of its own of `bytes`, in memory. Needs the right to mount. */
export class SmallDisk {
  readonly folder = mkdtempSync(join(tmpdir(), 'rpm-small-disk-'));
  readonly #ballast = join(this.folder, 'ballast');

  constructor(bytes: number) {
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'none', this.folder]);
    if (status === 0) return;
    rmSync(this.folder, { recursive: true });
    throw new Error(`mount: ${stderr}`);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Puts something on it, so that only `bytes` are left. */
  fill(bytes: number): void {
    const room = this.freeBytes - bytes;
    if (room > 0) writeFileSync(this.#ballast, Buffer.alloc(room));
  }

  /** Takes away so much of that that `bytes` are free. */
  leave(bytes: number): void {
    truncateSync(this.#ballast, Math.max(0, statSync(this.#ballast).size + this.freeBytes - bytes));
  }

  free(): void {
    rmSync(this.#ballast, { force: true });
  }

  remove(): void {
    spawnSync('umount', [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Why no disk can be mounted here; undefined if one can. */
export function whyNoDisk(): string | undefined {
  try {
    new SmallDisk(2 ** 20).remove();
    return undefined;
  } catch (error) {
    return String(error);
  }
}
