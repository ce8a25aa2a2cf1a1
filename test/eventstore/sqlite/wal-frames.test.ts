import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import {
  FRAME_HEADER_BYTES,
  scanWal,
  WAL_HEADER_BYTES,
  type WalScan,
} from '../../../src/eventstore/sqlite/disk/wal-frames.ts';

const PAGE_BYTES = 8_192;
const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;
const ROWS = 300;
const folder = mkdtempSync(join(tmpdir(), 'rpm-frames-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A write-ahead log of more than one piece, as sqlite wrote it, and the file that it belongs to. */
function written(): { readonly file: Buffer; readonly wal: Buffer } {
  const path = join(folder, 'written.db');
  const db = new DatabaseSync(path);
  db.exec(
    `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (a)`,
  );
  const insert = db.prepare('INSERT INTO t VALUES (?)');
  for (let row = 0; row < ROWS; row++) insert.run(`${row}`.repeat(1_000));
  const files = { file: readFileSync(path), wal: readFileSync(`${path}-wal`) };
  db.close();
  return files;
}

/** The same log as a machine of the other byte order writes it: its magic number says so, and every checksum is another. */
function inBigEndianWords(wal: Buffer): Buffer {
  const other = Buffer.from(wal);
  other.writeUInt32BE(0x37_7f_06_83, 0);
  let sum: [number, number] = [0, 0];
  const add = (from: number, to: number) => {
    for (let at = from; at < to; at += 8) {
      const first = (sum[0] + other.readInt32BE(at) + sum[1]) | 0;
      sum = [first, (sum[1] + other.readInt32BE(at + 4) + first) | 0];
    }
  };
  const store = (at: number) => {
    other.writeInt32BE(sum[0], at);
    other.writeInt32BE(sum[1], at + 4);
  };
  add(0, 24);
  store(24);
  for (let at = WAL_HEADER_BYTES; at < other.length; at += FRAME_BYTES) {
    add(at, at + 8);
    add(at + FRAME_HEADER_BYTES, at + FRAME_BYTES);
    store(at + 16);
  }
  return other;
}

function scanned(wal: Buffer): WalScan {
  const path = join(folder, 'scanned-wal');
  writeFileSync(path, wal);
  const descriptor = openSync(path, 'r');
  try {
    return scanWal(descriptor, PAGE_BYTES);
  } finally {
    closeSync(descriptor);
  }
}

describe('a write-ahead log', () => {
  const { file, wal } = written();
  const frames = (wal.length - WAL_HEADER_BYTES) / FRAME_BYTES;

  it.each([
    ['this', wal],
    ['the other', inBigEndianWords(wal)],
  ])('of a machine of %s byte order is read whole, as sqlite does', (_, bytes) => {
    const path = join(folder, 'laid.db');
    writeFileSync(path, file);
    writeFileSync(`${path}-wal`, bytes);
    const db = new DatabaseSync(path);
    expect(db.prepare('SELECT count(*) AS rows FROM t').get()).toEqual({ rows: ROWS });
    db.close();
    expect(scanned(bytes)).toMatchObject({ pageBytes: PAGE_BYTES, frames, unfinished: 0, broken: undefined });
  });

  it.each([
    ['this', wal],
    ['the other', inBigEndianWords(wal)],
  ])('of a machine of %s byte order breaks where a bit is another', (_, bytes) => {
    const frame = 200;
    const changed = Buffer.from(bytes);
    changed[WAL_HEADER_BYTES + frame * FRAME_BYTES + FRAME_BYTES - 1]! ^= 1;
    expect(scanned(changed)).toMatchObject({
      frames: frame,
      broken: { frame, offset: WAL_HEADER_BYTES + frame * FRAME_BYTES, intactBehind: frames - frame - 1 },
    });
  });
});
