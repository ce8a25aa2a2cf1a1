import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { NO_STREAM } from '../../../src/model/event-store.ts';
import { damageRun } from '../../faults/damage/run.ts';
import { newSeed } from '../../faults/launch.ts';
import { events, readBack } from '../fixture.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rpm-damage-'));
  file = join(folder, 'log.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

it('a damaged sqlite log is refused with the place, or no event reads differently', async () => {
  const counts = await damageRun({ count: 400, seed: newSeed(), part: 0, parts: 1 });
  expect(counts['flipped bits refused']).toBeGreaterThan(0);
});

describe('a standby', () => {
  it('takes over within a second when the writer is killed, with all that was acknowledged', async () => {
    const code = `
      const { openEventStore } = await import(${JSON.stringify(new URL('../../../src/eventstore/open.ts', import.meta.url).href)});
      const store = await openEventStore(${JSON.stringify(`sqlite:${file}`)});
      const event = ${JSON.stringify(events(1)[0])};
      const result = store.append('pool-a', [event], ${NO_STREAM});
      console.log(result.outcome);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout, 'data');
    expect(String(line).trim()).toBe('appended');
    const holder = { pid: child.pid };
    await expect(openEventStore(`sqlite:${file}`)).rejects.toMatchObject({ details: { holder } });
    const taken = openEventStore(`sqlite:${file}`, { standby: true });
    child.kill('SIGKILL');
    const killed = performance.now();
    const store = await taken;
    expect(performance.now() - killed).toBeLessThan(1_000);
    expect(await readBack(store, 'pool-a')).toHaveLength(1);
    await store.close();
  });
});
