import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openEventStore } from '../../../src/eventstore/open.ts';
import { repairFile } from '../../../src/eventstore/sqlite/copy/repair.ts';
import { SILENT } from '../../../src/model/interfaces.ts';
import { layDown, makeImage, readImage, STREAMS, type StoreImage } from '../../faults/damage/store-image.ts';
import { collect, readBack } from '../fixture.ts';

/** What lies in a folder where a log was served, and who is refused. Files by the end of their name. */
type Files = Map<string, Uint8Array>;

const folder = mkdtempSync(join(tmpdir(), 'rpm-left-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'log.db');

const FRAME = 24 + 8_192;
const SMALL = [1, 2, 1, 2, 1];
let closed: StoreImage;
let killed: StoreImage;
let other: StoreImage;
let longer: StoreImage;

beforeAll(async () => {
  const make = (name: string, lives: number[][], isClosed: boolean) =>
    makeImage({ folder: join(folder, name), lives, closed: isClosed });
  closed = await make('closed', [SMALL], true);
  killed = await make('killed', [SMALL, Array.from({ length: 12 }, () => 20)], false);
  other = await make('other', [[1, 1]], false);
  longer = await make('longer', [Array.from({ length: 12 }, () => 20)], false);
});

const fileOf = (image: StoreImage, end: string): Uint8Array => image.files.get(end)!;
const filesOf = (image: StoreImage, over: Record<string, Uint8Array | undefined> = {}): Files => {
  const files: Files = new Map(image.files);
  for (const [end, bytes] of Object.entries(over))
    if (bytes === undefined) files.delete(end);
    else files.set(end, bytes);
  return files;
};

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[at]! ^= 1;
  return changed;
}

/** Byte for byte, as it were. */
const sumsOf = (files: ReadonlyMap<string, Uint8Array>) =>
  new Map(Array.from(files, ([end, bytes]) => [end, createHash('sha256').update(bytes).digest('hex')]));

const framesOf = (wal: Uint8Array): number => Math.floor((wal.length - 32) / FRAME);
const inFrame = (wal: Uint8Array, frame: number): number =>
  32 + FRAME * (frame < 0 ? framesOf(wal) + frame : frame) + 5_000;
const JOURNAL = Buffer.concat([
  Buffer.from('d9d505f920a163d7', 'hex'),
  Buffer.from([0, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 9]),
  Buffer.alloc(9_000, 7),
]);

function lay(files: Files): void {
  for (const end of ['', '-wal', '-shm', '-journal', '.mark', '.lock']) rmSync(`${path}${end}`, { force: true });
  layDown(files, path);
}

const REFUSED: readonly (readonly [what: string, files: () => Files, message: RegExp])[] = [
  [
    'a bit of the last frame of the write-ahead log',
    () => flippedWal(killed, -1),
    /position \d+: it had come to .* acknowledged events are lost.*breaks at byte/,
  ],
  [
    'a bit in the middle of it',
    () => flippedWal(killed, 4),
    /acknowledged events are lost: pool-a at revision .*breaks at byte \d+, and \d\d intact frames lie behind/,
  ],
  [
    'the same without a mark',
    () => filesOf(killed, { ...Object.fromEntries(flippedWal(killed, 4)), '.mark': undefined }),
    /intact frames lie behind/,
  ],
  ['its header', () => filesOf(killed, { '-wal': flipped(fileOf(killed, '-wal'), 5) }), /acknowledged events are lost/],
  [
    'its header, without a mark',
    () => filesOf(killed, { '-wal': flipped(fileOf(killed, '-wal'), 17), '.mark': undefined }),
    /acknowledged events are lost/,
  ],
  [
    'the salt of a frame',
    () => filesOf(killed, { '-wal': flipped(fileOf(killed, '-wal'), 32 + 3 * FRAME + 9) }),
    /acknowledged events are lost/,
  ],
  [
    'a block of zeros in it',
    () => filesOf(killed, { '-wal': Uint8Array.from(fileOf(killed, '-wal')).fill(0, 20_000, 24_096) }),
    /acknowledged events are lost/,
  ],
  ['the write-ahead log deleted', () => filesOf(killed, { '-wal': undefined }), /acknowledged events are lost/],
  ['the write-ahead log of another, longer', () => filesOf(closed, { '-wal': fileOf(longer, '-wal') }), /another/],
  ['the write-ahead log of another, shorter', () => filesOf(closed, { '-wal': fileOf(other, '-wal') }), /another/],
  [
    'the write-ahead log of another that was stopped before',
    () => filesOf(closed, { '-wal': fileOf(killed, '-wal') }),
    /another/,
  ],
  ['a file of an earlier time', () => filesOf(killed, { '': fileOf(other, '') }), /damaged/],
  [
    'a write-ahead log of an earlier time',
    () => filesOf(later, { '-wal': fileOf(killed, '-wal') }),
    /older than the file/,
  ],
  [
    'the same without a mark',
    () => filesOf(later, { '-wal': fileOf(killed, '-wal'), '.mark': undefined }),
    /older than the file/,
  ],
  ['a rollback journal', () => filesOf(closed, { '-journal': JOURNAL }), /journal.*belongs to another file/],
  ['the file deleted', () => filesOf(closed, { '': undefined }), /empty or not there, but it had come to/],
  ['the file empty', () => filesOf(closed, { '': new Uint8Array() }), /empty or not there, but it had come to/],
  [
    'the file empty beside its write-ahead log',
    () => filesOf(killed, { '': new Uint8Array(), '.mark': undefined }),
    /write-ahead log/,
  ],
  ['another file in its place', () => filesOf(closed, { '': fileOf(later, '') }), /\.mark: it is of another log/],
  ['an earlier copy of the file', () => filesOf(later, { '': fileOf(earlier, '') }), /acknowledged events are lost/],
];

const flippedWal = (image: StoreImage, frame: number): Files =>
  filesOf(image, { '-wal': flipped(fileOf(image, '-wal'), inFrame(fileOf(image, '-wal'), frame)) });

/** `killed` after its write-ahead log was moved into it, and before. */
let later: StoreImage;
let earlier: StoreImage;
beforeAll(async () => {
  lay(filesOf(killed));
  const store = await openEventStore(`sqlite:${path}`);
  const last = killed.events.findLast(({ stream }) => stream === STREAMS[0])!;
  const { stream: _, revision, ...again } = last;
  const id = randomUUID();
  await store.append(STREAMS[0], [{ ...again, id }], revision);
  await store.close();
  later = { ...killed, files: readImage(path), events: [...killed.events, { ...last, id, revision: revision + 1 }] };
  lay(filesOf(killed, { '-wal': undefined, '.mark': undefined }));
  earlier = { ...killed, files: readImage(path) };
});

describe('a log that is found with', () => {
  it.each(REFUSED)('%s is refused, by all who open it, and every byte stays', async (_, files, message) => {
    lay(files());
    const before = sumsOf(readImage(path));
    const opened = [{}, { standby: true }, { readOnly: true }, { readOnly: true, whole: true }];
    for (const options of before.has('') ? opened : opened.slice(0, 2)) {
      const store = await openEventStore(`sqlite:${path}`, options).catch((error: Error) => error);
      if (!(store instanceof Error)) await store.close();
      expect((store as Error).message).toMatch(message);
      expect(sumsOf(readImage(path))).toEqual(before);
    }
  });

  it.each(REFUSED)('%s is refused, and the lock of the writer before stays as it was, too', async (_, files) => {
    const held = await openEventStore(`sqlite:${join(folder, 'held.db')}`);
    await held.close();
    lay(files());
    copyFileSync(join(folder, 'held.db.lock'), `${path}.lock`);
    const [before, lock] = [sumsOf(readImage(path)), readFileSync(`${path}.lock`)];
    for (const options of [{}, { standby: true }]) {
      await expect(openEventStore(`sqlite:${path}`, options)).rejects.toThrow();
      expect(readFileSync(`${path}.lock`).equals(lock)).toBe(true);
      expect(readdirSync(folder).filter((name) => name.startsWith('log.db.lock'))).toEqual(['log.db.lock']);
      expect(sumsOf(readImage(path))).toEqual(before);
    }
  });

  it.each([
    ['no mark', () => filesOf(killed, { '.mark': undefined })],
    ['a mark that is not whole', () => filesOf(killed, { '.mark': flipped(fileOf(killed, '.mark'), 40) })],
  ])('%s is served with a warning, as that proves nothing', async (_, files) => {
    lay(files());
    const told: unknown[] = [];
    const logger = { ...SILENT, warn: (_fields: unknown, message?: string) => void told.push(message) };
    const store = await openEventStore(`sqlite:${path}`, { logger });
    expect(await collect(store.readAll())).toEqual(killed.events);
    await store.close();
    expect(told).toEqual(['the log has no mark: whether it has lost its end cannot be told']);
    expect(sumsOf(readImage(path))).toEqual(sumsOf(files()));
  });

  it('frames of an older generation behind those that count is served', async () => {
    lay(filesOf(killed));
    const store = await openEventStore(`sqlite:${path}`);
    const last = killed.events.findLast(({ stream }) => stream === STREAMS[0])!.revision;
    const batch = [{ ...killed.events[0]!, id: randomUUID() }];
    const reader = await openEventStore(`sqlite:${path}`, { readOnly: true });
    await store.append(STREAMS[0], batch, last);
    const files = readImage(path);
    await reader.close();
    await store.close();
    lay(files);
    const again = await openEventStore(`sqlite:${path}`);
    expect(await readBack(again, STREAMS[0])).toHaveLength(last + 2);
    await again.close();
  });
});

describe('what a repair keeps of it', () => {
  it.each(REFUSED.filter(([what]) => !/file (deleted|empty)|file in its place/.test(what)))(
    'with %s is whole, and a beginning of each stream',
    async (_, files) => {
      lay(files());
      const before = sumsOf(readImage(path));
      const to = join(folder, 'repaired.db');
      const repaired = repairFile(path, to, { now: 0 });
      expect(sumsOf(readImage(path))).toEqual(before);
      const store = await openEventStore(`sqlite:${to}`, { readOnly: true, whole: true });
      for (const stream of STREAMS) {
        const found = (await readBack(store, stream)).filter(({ type }) => type !== 'TokenFloorRaised');
        const ids = found.map(({ id }) => id).join();
        const written = [closed, later].map(({ events }) =>
          events.filter((one) => one.stream === stream).map(({ id }) => id),
        );
        expect(written.some((all) => all.slice(0, found.length).join() === ids)).toBe(true);
      }
      expect(repaired.kept).toBeGreaterThan(0);
      expect(repaired.tokenFloor).toBe(2 ** 40);
      await store.close();
      for (const end of ['', '-wal', '-shm']) rmSync(`${to}${end}`, { force: true });
    },
  );
});
