import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';
import { NO_STREAM } from '../../src/model/event-store.ts';
import type { RecordedEvent } from '../../src/model/events.ts';
import { collect, events, mustAppend, readBack, recorded } from './fixture.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rpm-damage-'));
  file = join(folder, 'log.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** All events of the log of these bytes, or undefined if opening or reading it was refused. */
async function readAllOf(bytes: Uint8Array): Promise<RecordedEvent[] | undefined> {
  const copy = join(folder, 'copy.db');
  for (const end of ['', '-wal', '-shm']) rmSync(`${copy}${end}`, { force: true });
  writeFileSync(copy, bytes);
  copyFileSync(`${file}.mark`, `${copy}.mark`);
  try {
    const store = await openEventStore(`sqlite:${copy}`);
    return await collect(store.readAll()).finally(() => store.close());
  } catch {
    return undefined;
  }
}

describe('a damaged sqlite log', () => {
  it('is refused, or no event reads differently: flipped bits and truncations', { timeout: 120_000 }, async () => {
    const store = await openEventStore(`sqlite:${file}`);
    const batches = [events(5), events(5, 5), events(5, 10)];
    for (const [i, batch] of batches.entries()) await mustAppend(store, 'pool-a', batch, i * 5 - 1);
    await store.close();
    const written = recorded(batches.flat(), 'pool-a');
    const whole = readFileSync(file);
    expect(await readAllOf(whole)).toEqual(written);
    let refused = 0;
    for (let at = 0; at < whole.length; at += 13) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 1 << (at % 8);
      const read = await readAllOf(bytes);
      if (read === undefined) refused++;
      else expect(read, `byte ${at}`).toEqual(written);
    }
    for (let length = 0; length < whole.length; length += 512) {
      const read = await readAllOf(whole.subarray(0, length));
      if (read === undefined) refused++;
      else expect(read, `cut to ${length} bytes`).toEqual(written);
    }
    console.log(`damage: ${refused} of ${Math.ceil(whole.length / 13) + Math.ceil(whole.length / 512)} cases refused`);
    expect(refused).toBeGreaterThan(0);
  });
});

describe('a standby', () => {
  it('takes over within a second when the writer is killed, with all that was acknowledged', async () => {
    const code = `
      const { openEventStore } = await import(${JSON.stringify(new URL('../../src/eventstore/open.ts', import.meta.url).href)});
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
