/**
 * CPU time of the look that comes before a log is opened (ADR 12): at one that was closed, small and large, and at one whose writer was
 * killed, for each MiB of the write-ahead log that it left.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventStore } from '../../src/eventstore/open.ts';
import { look } from '../../src/eventstore/sqlite/disk/look.ts';
import { SILENT } from '../../src/model/interfaces.ts';
import { note, tell } from '../measure.ts';

const SMALL = 1_000;
const LARGE = 200_000;
const BATCH = 100;
/** Of a killed writer's log: they lie in the write-ahead log alone. */
const LEFT = 8_000;
const LOOKS = 5;
const MIB = 2 ** 20;

const folder = mkdtempSync(join(tmpdir(), 'rpm-bench-look-'));
const batchFrom = (first: number) =>
  Array.from({ length: BATCH }, (_, n) => ({
    id: `00000000-0000-4000-8000-${String(first + n).padStart(12, '0')}`,
    type: 'LeaseReleased',
    schemaVersion: 1,
    at: 1,
    data: { leaseId: `lease-${first + n}`, token: first + n, note: 'x'.repeat(400) },
    metadata: { commandId: `command-${first + n}`, correlationId: 'bench', causationId: 'bench', actor: 'bench' },
  }));

/** A log of so many events; as a kill leaves it, or closed. */
async function written(events: number, isKilled: boolean): Promise<string> {
  const path = join(folder, `${events}.db`);
  const store = await openEventStore(`sqlite:${path}`);
  for (let first = 0; first < events; first += BATCH) {
    const { outcome } = await store.append('pool-a', batchFrom(first), first - 1);
    if (outcome !== 'appended') throw new Error(`an append came to ${outcome}`);
  }
  const left = join(folder, `${events}-left.db`);
  if (isKilled)
    for (const end of ['', '-wal', '.mark'])
      if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${left}${end}`);
  await store.close();
  return isKilled ? left : path;
}

/** Milliseconds of this thread's CPU: of the first look, as a start pays it, and the median of those after it. */
function timed(path: string): { readonly first: number; readonly median: number } {
  const times = Array.from({ length: LOOKS + 1 }, () => {
    const before = process.threadCpuUsage();
    look(path, SILENT)!.log.close();
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1_000;
  });
  const [first, ...later] = times;
  return { first: first!, median: later.sort((a, b) => a - b)[LOOKS >> 1]! };
}

try {
  const killed = await written(LEFT, true);
  const logs = [await written(SMALL, false), await written(LARGE, false)];
  const mib = statSync(`${killed}-wal`).size / MIB;
  const left = timed(killed);
  tell({
    what: `first look of a process, each MiB of a killed writer's log of ${mib.toFixed(1)} MiB`,
    p50: left.first / mib,
    unit: 'ms',
  });
  tell({ what: 'later looks at it, each MiB', p50: left.median / mib, unit: 'ms' });
  for (const [i, path] of logs.entries())
    tell({ what: `look at a closed log of ${[SMALL, LARGE][i]} events`, p50: timed(path).median, unit: 'ms' });
  note('CPU time of the thread; a killed writer had 100 events of some 650 bytes in each append');
} finally {
  rmSync(folder, { recursive: true });
}
