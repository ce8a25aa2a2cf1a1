import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
export const ROOT = new URL('../..', import.meta.url).pathname;

/** A flag of `serve`: the load of this machine decides nothing. */
export const CALM = 'overload.pressureRatio=1';

interface Lock {
  readonly packages: Record<
    string,
    { readonly dev?: boolean; readonly devOptional?: boolean } & Record<string, unknown>
  >;
}

export interface Installed {
  /** A user's project in which the package is installed. */
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly remove: () => Promise<void>;
}

/**
 * Packs the project (which builds it) and installs the tarball into a project of its own, by npm, with the versions that this
 * project is locked to and from npm's cache: what was installed here once needs no network.
 */
export async function installPackage(): Promise<Installed> {
  const dir = await mkdtemp(join(tmpdir(), 'rpm-user-'));
  const packed = await run('npm', ['pack', '--json', '--pack-destination', dir], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf('['))) as [{ filename: string }];
  const { packages } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
  const tarball = `file:${filename}`;
  const user = { name: 'user', version: '1.0.0', private: true, type: 'module' };
  const dependencies = { 'resource-pool-manager': tarball };
  const { version, dependencies: own, bin } = packages['']!;
  const needed = Object.entries(packages).filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional);
  const lock = {
    ...user,
    lockfileVersion: 3,
    packages: {
      '': { ...user, dependencies },
      'node_modules/resource-pool-manager': { version, resolved: tarball, dependencies: own, bin },
      ...Object.fromEntries(needed),
    },
  };
  await writeFile(join(dir, 'package.json'), JSON.stringify({ ...user, dependencies }));
  await writeFile(join(dir, 'package-lock.json'), JSON.stringify(lock));
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
  await run('npm', ['ci', ...flags], { cwd: dir });
  // The user's Node is the one that the tests run on, the compiler the project's.
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  return { dir, env: { ...process.env, PATH: path }, remove: () => rm(dir, { recursive: true, force: true }) };
}

/** What the compiler says of files of the user's project, as strict as it can be and with the types of all libraries checked; empty if nothing is wrong. */
export async function typeErrors({ dir }: Installed, files: readonly string[]): Promise<string> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: false,
    noEmit: true,
    module: 'NodeNext',
    target: 'ES2024',
    lib: ['ES2024', 'ESNext.Disposable', 'DOM.AsyncIterable'],
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
  };
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  return run(join(ROOT, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: dir }).then(
    () => '',
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
}
