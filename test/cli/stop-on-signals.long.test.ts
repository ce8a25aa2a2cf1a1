import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';

const STOPS_NEVER = `
  import { stopOnSignals } from '${new URL('../../src/cli/stop-on-signals.ts', import.meta.url)}';
  stopOnSignals(console.error, () => { console.log('stopping'); return new Promise(() => {}); });
  setInterval(() => {}, 1_000);
  console.log('ready');
`;

it('while a stop takes long, a second signal at once changes nothing; one after more than a second ends it with 1', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', STOPS_NEVER]);
  const ended = once(child, 'exit');
  const said = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
  expect((await said.next()).value).toContain('ready');
  child.kill('SIGINT');
  expect((await said.next()).value).toContain('stopping');
  child.kill('SIGINT');
  await sleep(1_500);
  expect(child.exitCode).toBeNull();
  child.kill('SIGINT');
  expect(await ended).toEqual([1, null]);
});
