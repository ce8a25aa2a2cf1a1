import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { PoolError } from '../model/errors.ts';
import type { Row } from './codec.ts';

/** "RPM1": tells our files from other sqlite databases. */
const APPLICATION_ID = 0x52_50_4d_31;
const FORMAT = 1;

const SCHEMA = `
  CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    revision INTEGER NOT NULL,
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    at INTEGER NOT NULL,
    data TEXT NOT NULL,
    metadata TEXT NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (stream, revision)
  ) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

const COLUMNS = 'position, stream, revision, id, type, schema_version, at, data, metadata, checksum';

/** One open connection with its prepared statements. Given up as a whole after an I/O error. */
export class SqliteFile {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #range: StatementSync;
  readonly #after: StatementSync;
  readonly #last: StatementSync;
  readonly #end: StatementSync;

  constructor(path: string, readOnly: boolean) {
    this.#db = new DatabaseSync(path, { readOnly, timeout: readOnly ? 1_000 : 0 });
    try {
      prepareFile(this.#db, path, readOnly);
      refuseRot(this.#db, path, readOnly);
      const arrays = (sql: string) => {
        const statement = this.#db.prepare(sql);
        statement.setReturnArrays(true);
        return statement;
      };
      this.#insert = this.#db.prepare(`INSERT INTO events (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
      this.#range = arrays(
        `SELECT ${COLUMNS} FROM events WHERE stream = ? AND revision BETWEEN ? AND ? ORDER BY revision`,
      );
      this.#after = arrays(`SELECT ${COLUMNS} FROM events WHERE position > ? ORDER BY position LIMIT ?`);
      this.#last = arrays('SELECT revision, checksum FROM events WHERE stream = ? ORDER BY revision DESC LIMIT 1');
      this.#end = arrays('SELECT max(position) FROM events');
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** All rows in one transaction, on the disk when it returns. Throws whatever sqlite says; then what became of them is unknown. */
  insert(rows: readonly Row[]): void {
    if (rows.length === 1) {
      this.#insert.run(...rows[0]!);
      return;
    }
    this.#db.exec('BEGIN IMMEDIATE');
    for (const row of rows) this.#insert.run(...row);
    this.#db.exec('COMMIT');
  }

  range(stream: string, first: number, last: number): Row[] {
    return this.#range.all(stream, first, last) as unknown as Row[];
  }

  after(position: number, limit: number): Row[] {
    return this.#after.all(position, limit) as unknown as Row[];
  }

  last(stream: string): readonly [revision: number, checksum: number] | undefined {
    return this.#last.get(stream) as unknown as readonly [number, number] | undefined;
  }

  end(): number {
    return (this.#end.get() as unknown as readonly [number | null])[0] ?? 0;
  }

  /** Moves the WAL into the file and syncs that. False if a reader kept it from being finished. */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): boolean {
    const { busy } = this.#db.prepare(`PRAGMA wal_checkpoint(${mode})`).get() as { busy: number };
    return busy === 0;
  }

  close(): void {
    this.#db.close();
  }
}

function prepareFile(db: DatabaseSync, path: string, readOnly: boolean): void {
  const pragma = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  const isNew = pragma('schema_version') === 0;
  if (!readOnly) {
    if (!isNew) refuseOthers(pragma('application_id'), pragma('user_version'), path);
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0');
    if (isNew) db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT`);
  }
  refuseOthers(pragma('application_id'), pragma('user_version'), path);
}

/** Up to this size a writer checks the whole file when it opens it; a larger one is checked by whoever opens it to read (`check`). */
const CHECKED_WHOLE_BYTES = 64 * 2 ** 20;

/** Row checksums say nothing of a row that a rotten index no longer finds: sqlite itself compares table and index. */
function refuseRot(db: DatabaseSync, path: string, readOnly: boolean): void {
  const { bytes } = db
    .prepare('SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size')
    .get() as { bytes: number };
  if (!readOnly && bytes > CHECKED_WHOLE_BYTES) return;
  const rows = db.prepare('PRAGMA integrity_check').all() as { integrity_check: string }[];
  const wrong = rows.map((row) => row.integrity_check).filter((line) => line !== 'ok');
  if (wrong.length > 0)
    throw new PoolError('LOG_UNAVAILABLE', `store: ${path} is damaged: ${wrong.slice(0, 3).join('; ')}`);
}

function refuseOthers(applicationId: unknown, format: unknown, path: string): void {
  if (applicationId === APPLICATION_ID && format === FORMAT) return;
  const value = `application_id ${applicationId}, user_version ${format}`;
  throw new PoolError('INVALID_CONFIG', `store: ${path} is no event log of format ${FORMAT} (${value})`);
}
