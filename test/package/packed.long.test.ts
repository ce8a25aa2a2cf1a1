import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LeaseView } from '../../src/model/views.ts';
import { CALM, type Installed, installPackage, ROOT, typeErrors } from './installed.ts';
import { describeNpmStart } from './npm-start.ts';
import { type Command, commandsOf, type Snippet, snippetsOf } from './snippets.ts';

const run = promisify(execFile);
const readme = snippetsOf(await readFile(join(ROOT, 'README.md'), 'utf8'));
const programs = readme.filter(({ language }) => language === 'ts');
const shells = readme.filter(({ language }) => language === 'sh');
const named = (snippet: Snippet): string => `readme-${snippet.line}.ts`;

let user: Installed;
let server: ChildProcess;
let url: string;

/** The address in a document is that of the service by default; here it is that of the test's. */
const here = (text: string): string => text.replaceAll('http://127.0.0.1:7070', url);

beforeAll(async () => {
  user = await installPackage();
  ({ server, url } = await serve(user));
  await writeFile(join(user.dir, 'quick-start.ts'), await readFile(join(ROOT, 'examples/quick-start.ts')));
  for (const snippet of programs) await writeFile(join(user.dir, named(snippet)), here(snippet.text));
}, 120_000);
afterAll(async () => {
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  expect(await ended).toBe(0);
  await user.remove();
});

/** Types that let everything pass would hold too: each of these lines must not. */
const WRONG = `import { createResourceDetector, ResourcePoolManager } from 'resource-pool-manager';
import { createClient } from 'resource-pool-manager/client';
const detector = createResourceDetector({ capacity: { memory: '1Gi' } });
const wrong = new ResourcePoolManager(detector, { maxPoolSize: 'many' });
wrong.allocate({ id: 5, requirements: { memory: 1 } });
const lease: string = await wrong.allocate({ requirements: { memory: 1 } });
createClient({ address: 'x' });
wrong.nothing();
`;

/** The installed package's own `poolctl serve`, with a capacity that the README's numbers fit into. */
async function serve({ dir, env }: Installed): Promise<{ server: ChildProcess; url: string }> {
  const flags = ['--port', '0', '--set', 'detection.capacity={"memory":"8Gi","cpu":400}', '--set', CALM];
  const child = spawn('node_modules/.bin/poolctl', ['serve', ...flags], { cwd: dir, env });
  let said = '';
  const listening = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      said += chunk;
      const address = /listening on (\S+)/.exec(said)?.[1];
      if (address !== undefined) resolve(address);
    });
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    child.once('exit', () => reject(new Error(said)));
  });
  return { server: child, url: await listening };
}

const program = (file: string) => run(process.execPath, [file], { cwd: user.dir, env: user.env });

describe('the package as it is published', () => {
  test('has types that hold under strict, and whose own imports hold', async () => {
    expect(await typeErrors(user, ['quick-start.ts', ...programs.map(named)])).toBe('');
    await writeFile(join(user.dir, 'wrong.ts'), WRONG);
    const said = await typeErrors(user, ['wrong.ts']);
    for (const line of [4, 5, 6, 7, 8]) expect(said, said).toMatch(new RegExp(`wrong\\.ts\\(${line},`));
  }, 60_000);

  test('runs the quick start, and lets the process end', async () => {
    await program('quick-start.ts');
  });

  test('exports what its subpaths promise', async () => {
    const code = `
      const names = async (path) => Object.keys(await import('resource-pool-manager' + path)).sort();
      console.log(JSON.stringify([await names(''), await names('/client'), await names('/testing'), await names('/eventstore')]));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], {
      cwd: user.dir,
      env: user.env,
    });
    const [main, client, testing, eventstore] = JSON.parse(stdout) as string[][];
    expect(main).toEqual(
      expect.arrayContaining([
        'ResourcePoolManager',
        'createResourceDetector',
        'DEFAULT_POOL_CONFIG',
        'ResourceType',
        'Priority',
        'PoolError',
        'isPoolError',
        'createHealthMonitor',
        'createTaskRouter',
      ]),
    );
    expect(client).toEqual(expect.arrayContaining(['createClient', 'PoolError', 'ResourceType', 'Priority']));
    expect(testing).toEqual(expect.arrayContaining(['fakeClock', 'FaultyStore', 'ReferenceModel', 'checkInvariants']));
    expect(eventstore).toEqual(expect.arrayContaining(['openEventStore', 'MemoryEventStore', 'checkStore']));
  });
});

describe('the README', () => {
  test('begins with the quick start, word for word', async () => {
    expect(programs[0]!.text).toBe(await readFile(join(ROOT, 'examples/quick-start.ts'), 'utf8'));
  });

  test('has no code that is not run', () => {
    expect(readme.filter(({ language }) => language !== 'ts' && language !== 'sh')).toEqual([]);
  });

  test.each(programs.slice(1).map((snippet) => [snippet.line, snippet] as const))(
    'the program at line %i runs',
    async (_, snippet) => {
      await program(named(snippet));
    },
  );

  test.each(shells.map(({ line, text }) => [line, commandsOf(text)] as const))(
    'the commands at line %i do what they say',
    async (_, commands) => {
      for (const command of commands) await runCommand(command);
    },
    120_000,
  );
});

describeNpmStart(() => user);

/** `npm ci` is what brought this test here; `npm start` has tests of its own (npm-start.ts). */
const RUN_ELSEWHERE = /^npm ci && npm (start|test)$/;
const NEVER_ENDS = /--follow|^curl -sN/;

async function runCommand({ text, exitCode }: Command): Promise<void> {
  if (RUN_ELSEWHERE.test(text)) return;
  const command = here(await filled(text.replaceAll('npx poolctl', 'node_modules/.bin/poolctl')));
  const env = { ...user.env, RPM_SERVER: url };
  const child = spawn('bash', ['-c', `exec 2>&1; ${NEVER_ENDS.test(text) ? 'exec ' : ''}${command}`], {
    cwd: user.dir,
    env,
  });
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
    if (NEVER_ENDS.test(text)) child.kill('SIGINT');
  });
  const code = await new Promise((resolve) => child.once('close', (status) => resolve(status)));
  if (NEVER_ENDS.test(text)) expect(said, text).toMatch(/PoolOpened|retry/);
  else expect(code, `${text}\n${said}`).toBe(exitCode);
  if (text.startsWith('curl')) expect(said, text).not.toContain('problem-type');
}

/** LEASE and N stand for the id and the token of a lease that is held. */
async function filled(text: string): Promise<string> {
  if (!/\bLEASE\b/.test(text)) return text;
  const response = await fetch(`${url}/v1/leases?state=active`);
  const lease = ((await response.json()) as { items: LeaseView[] }).items[0]!;
  return text.replaceAll(/\bLEASE\b/g, lease.id).replaceAll(/\bN\b/g, String(lease.token));
}
