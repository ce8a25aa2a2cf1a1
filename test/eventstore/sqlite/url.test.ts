import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { link, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { sqlitePath, sqliteUrl } from '../../../src/eventstore/sqlite/url.ts';
import { events, mustAppend, readBack } from '../fixture.ts';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'rpm-url-')));
const cwd = process.cwd();
let made = 0;

afterEach(() => process.chdir(cwd));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function newFolder(): string {
  const folder = join(root, `${++made}`);
  mkdirSync(folder);
  return folder;
}

async function newLog(): Promise<{ folder: string; path: string }> {
  const folder = newFolder();
  const path = join(folder, 'pool.db');
  const store = await openEventStore(`sqlite:${path}`);
  await mustAppend(store, 'pool-a', events(2), -1);
  await store.close();
  return { folder, path };
}

/** Other names of one file. */
const NAMES: readonly (readonly [string, (path: string) => Promise<string> | string])[] = [
  ['its path', (path) => `sqlite:${path}`],
  ['a relative path', (path) => `sqlite:${relative(cwd, path)}`],
  ['a path with dots', (path) => `sqlite:${dirname(path)}/../${basename(dirname(path))}/./pool.db`],
  ['file: and its path', (path) => `sqlite:file:${path}`],
  ['file:// and its path', (path) => `sqlite:file://${path}`],
  ['file://localhost and its path', (path) => `sqlite:file://localhost${path}`],
  ['file: and a relative path', (path) => `sqlite:file:${relative(cwd, path)}`],
  ['file: and a percent-encoded path', (path) => `sqlite:file:${path.replaceAll('p', '%70')}`],
  [
    'a symbolic link to it',
    async (path) => {
      await symlink(path, `${path}.link`);
      return `sqlite:${path}.link`;
    },
  ],
  [
    'a link to a link to it, elsewhere',
    async (path) => {
      const elsewhere = newFolder();
      await symlink(path, join(elsewhere, 'one'));
      await symlink('one', join(elsewhere, 'two'));
      return `sqlite:${join(elsewhere, 'two')}`;
    },
  ],
  [
    'a link to its folder',
    async (path) => {
      const link = join(newFolder(), 'link');
      await symlink(dirname(path), link);
      return `sqlite:${link}/pool.db`;
    },
  ],
];

describe('a sqlite log has one lock, one mark and one set of files under every name', () => {
  it.each(NAMES)('%s', async (_, nameOf) => {
    const { folder, path } = await newLog();
    const url = await nameOf(path);
    const first = await openEventStore(`sqlite:${path}`);
    await expect(openEventStore(url)).rejects.toMatchObject({
      code: 'LOG_UNAVAILABLE',
      message: expect.stringContaining(`${path}.lock is held by pid ${process.pid}`),
    });
    const reader = await openEventStore(url, { readOnly: true });
    expect(reader.traits.url).toBe(`sqlite:${path}`);
    expect(await readBack(reader, 'pool-a')).toHaveLength(2);
    await reader.close();
    await first.close();
    const second = await openEventStore(url);
    process.chdir(root); // a relative path was meant when it was given
    await mustAppend(second, 'pool-a', events(1), 1);
    await second.snapshots.save('pool-a', { revision: 2, schemaVersion: 1, codeVersion: 'x', parts: [{}] });
    await second.close();
    const left = readdirSync(folder).filter((name) => name !== 'pool.db.link');
    expect(left.sort()).toEqual(['pool.db', 'pool.db.lock', 'pool.db.mark', 'pool.db.snapshots']);
  });

  it('comes back under its own URL, whatever is in the name', () => {
    const folder = newFolder();
    for (const name of ['a b.db', 'a%20b.db', 'a#b.db', 'a?b=c.db', 'ä:b.db']) {
      const path = join(folder, name);
      expect(sqlitePath(sqliteUrl(path))).toBe(path);
    }
    expect(sqlitePath(`sqlite:file:${folder}/a%3Fb.db`)).toBe(join(folder, 'a?b.db'));
    expect(sqlitePath(`sqlite:${folder}/a%20b.db`)).toBe(join(folder, 'a%20b.db'));
  });
});

describe('a sqlite URL', () => {
  const folder = newFolder();
  mkdirSync(join(folder, 'sub'));

  it.each([
    ['sqlite:', 'names no file'],
    ['sqlite: ', 'names no file'],
    ['sqlite:file:', 'names no file'],
    ['sqlite::memory:', 'not durable; allowed: memory:'],
    ['sqlite:./:memory:', 'not durable; allowed: memory:'],
    ['sqlite:file::memory:', 'not durable; allowed: memory:'],
    ['sqlite:file::memory:?cache=shared', 'no host, query or fragment'],
    [`sqlite:file:${folder}/a.db?mode=memory`, 'no host, query or fragment'],
    [`sqlite:file:${folder}/a.db?vfs=unix-none`, 'no host, query or fragment'],
    [`sqlite:file:${folder}/a.db?`, 'no host, query or fragment'],
    [`sqlite:file:${folder}/a.db#x`, 'no host, query or fragment'],
    [`sqlite:file://elsewhere${folder}/a.db`, 'no host, query or fragment'],
    [`sqlite:file:${folder}/a%zz.db`, 'percent-encoding is wrong'],
    [`sqlite:file:${folder}/a%00.db`, 'no NUL'],
    [`sqlite:${folder}/a\0.db`, 'no NUL'],
    [`sqlite:${folder}/a.db?mode=memory`, 'no query'],
    [`sqlite:${folder}/`, 'names a folder'],
    [`sqlite:${folder}/a.db/`, 'names a folder'],
    [`sqlite:${folder}/sub`, 'names a folder'],
    [`sqlite:${folder}/..`, 'names a folder'],
    ['sqlite:/dev/null', 'no regular file'],
  ])('%j is refused by name: %s', async (url, why) => {
    for (const readOnly of [false, true]) {
      const error = await openEventStore(url, { readOnly }).catch((refused: unknown) => refused);
      expect(error).toMatchObject({ code: 'INVALID_CONFIG', details: { errors: [{ path: 'store', value: url }] } });
      expect((error as Error).message).toContain(why);
      expect((error as Error).message).toContain(JSON.stringify(url));
    }
    expect(readdirSync(folder)).toEqual(['sub']);
  });

  it('of a file whose folder is missing makes none', async () => {
    const away = join(newFolder(), 'missing');
    for (const readOnly of [false, true])
      await expect(openEventStore(`sqlite:${away}/pool.db`, { readOnly })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(existsSync(away)).toBe(false);
  });

  it('of a symbolic link to nothing makes no file there', async () => {
    const path = join(newFolder(), 'pool.db');
    await symlink(`${path}.missing`, path);
    await expect(openEventStore(`sqlite:${path}`)).rejects.toThrow(/link to nothing/);
    expect(readdirSync(dirname(path))).toEqual(['pool.db']);
  });
});

describe('a sqlite log with a second name (hard link)', () => {
  it('is not written under either, and can be read', async () => {
    const { path } = await newLog();
    const other = join(newFolder(), 'other.db');
    await link(path, other);
    for (const name of [path, other])
      await expect(openEventStore(`sqlite:${name}`)).rejects.toMatchObject({
        code: 'INVALID_CONFIG',
        message: expect.stringMatching(new RegExp(`${name} has 2 names`)),
        details: { path: name, links: 2 },
      });
    expect(existsSync(`${other}.lock`)).toBe(false);
    const reader = await openEventStore(`sqlite:${path}`, { readOnly: true });
    expect(await readBack(reader, 'pool-a')).toHaveLength(2);
    await reader.close();
    rmSync(other);
    await (await openEventStore(`sqlite:${path}`)).close();
  });
});
