import { join } from 'node:path';
import { randomSource } from '../../../src/testing/arbitraries.ts';
import { fastFolder } from '../fast-folder.ts';
import { type Counts, mine, type Share, Tally } from '../share.ts';
import { type Damage, judge } from './judge.ts';
import { makeImage, type StoreImage } from './store-image.ts';

const SMALL = Array.from({ length: 48 }, (_, i) => 1 + ((i * 7) % 5));
const TINY = [2, 1, 2, 1, 2];

interface Case {
  readonly image: StoreImage;
  readonly damage: Damage;
}

/** Of a store of 64 KiB, closed and killed: every bit of every file and every length it can be cut to, or `count` of them. */
export async function damageRun(share: Share): Promise<Counts> {
  return judgeAll(share, async (folder) => {
    const closed = await makeImage({ folder: `${folder}-closed`, lives: [SMALL], closed: true });
    const lives = [
      [1, 2],
      [1, 2, 2, 1, 1],
    ];
    const killed = await makeImage({ folder: `${folder}-killed`, lives, closed: false });
    const cut = await makeImage({ folder: `${folder}-cut`, lives, closed: false, markBehind: true });
    return [closed, killed, cut].flatMap(allDamages);
  });
}

/** Of a store of a few pages: every bit of the pages that hold events. */
export async function damageRowsRun(share: Share): Promise<Counts> {
  return judgeAll(share, async (folder) => {
    const image = await makeImage({ folder, lives: [TINY], closed: true });
    return rowBits(image.files.get('')!).map((bit) => ({ image, damage: { file: '', bit } }));
  });
}

async function judgeAll(share: Share, cases: (folder: string) => Promise<readonly Case[]>): Promise<Counts> {
  const { folder, remove } = fastFolder();
  const tally = new Tally();
  try {
    const all = await cases(join(folder, 'made'));
    const path = join(folder, 'log.db');
    for (const { image, damage } of chosen(all, share)) {
      const verdict = await judge(image, damage, path).catch((error: unknown) => {
        throw new Error(`${JSON.stringify(damage)}: ${error}`, { cause: error });
      });
      tally.add('length' in damage ? `truncations ${verdict}` : `flipped bits ${verdict}`);
    }
  } finally {
    remove();
  }
  return tally.counts;
}

function* chosen(all: readonly Case[], share: Share): Generator<Case> {
  const random = randomSource(share.seed);
  const count = share.count === 0 ? all.length : share.count;
  for (let i = 0; i < count; i++) {
    const at = share.count === 0 ? i : random() % all.length;
    if (mine(i, share)) yield all[at]!;
  }
}

function allDamages(image: StoreImage): Case[] {
  const cases: Case[] = [];
  for (const [file, bytes] of image.files) {
    for (let bit = 0; bit < bytes.length * 8; bit++) cases.push({ image, damage: { file, bit } });
    for (let length = 0; length < bytes.length; length++) cases.push({ image, damage: { file, length } });
  }
  return cases;
}

const TABLE_LEAF = 0x0d;

/**
 * The bits of the leaves of tables, by sqlite's file format: of a leaf's head, its pointers to its rows, and the rows, which lie at its
 * end; not of the room between. The first page holds the schema and is none of them.
 */
function rowBits(bytes: Buffer): number[] {
  const pageBytes = bytes.readUInt16BE(16);
  const bits: number[] = [];
  for (let at = pageBytes; at < bytes.length; at += pageBytes) {
    if (bytes[at] !== TABLE_LEAF) continue;
    const pointersEnd = 8 + 2 * bytes.readUInt16BE(at + 3);
    const rowsBegin = bytes.readUInt16BE(at + 5);
    for (let bit = at * 8; bit < (at + pageBytes) * 8; bit++) {
      const within = (bit >> 3) - at;
      if (within < pointersEnd || within >= rowsBegin) bits.push(bit);
    }
  }
  return bits;
}
