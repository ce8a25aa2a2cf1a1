import { randomUUID } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { PoolError } from '../../model/errors.ts';

/** "RPM1": tells our files from other sqlite databases. */
export const APPLICATION_ID = 0x52_50_4d_31;
export const FORMAT = 4;
/** Holds several events, so that most commits write a single page. */
export const PAGE_BYTES = 8_192;

/** What the file is made of, as sqlite keeps it. The view is for whoever asks in SQL: columns of the table that are computed would be computed at every insert, too. */
export const OBJECTS: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: 'events',
    sql: `CREATE TABLE events (
    position INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT`,
  },
  {
    name: 'log',
    sql: `CREATE VIEW log AS SELECT
    position,
    json_extract(event, '$.stream') AS stream,
    json_extract(event, '$.revision') AS revision,
    json_extract(event, '$.id') AS id,
    json_extract(event, '$.type') AS type,
    json_extract(event, '$.schemaVersion') AS schema_version,
    json_extract(event, '$.at') AS at,
    json_extract(event, '$.data') AS data,
    json_extract(event, '$.metadata') AS metadata,
    checksum
  FROM events`,
  },
  {
    name: 'runs',
    sql: `CREATE TABLE runs (
    position INTEGER PRIMARY KEY,
    stream TEXT NOT NULL,
    revision INTEGER NOT NULL
  ) STRICT`,
  },
  {
    name: 'file',
    sql: `CREATE TABLE file (
    one INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    seed INTEGER NOT NULL,
    origin TEXT,
    floor INTEGER,
    checksum INTEGER NOT NULL
  ) STRICT`,
  },
];

export const SCHEMA = `
  ${OBJECTS.map(({ sql }) => sql).join(';\n  ')};
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

/** What a file says of itself, in one row that is written when it is made, and never again. */
export interface FileIdentity {
  /** Its own: a copy that a backup or a repair makes gets another one. */
  readonly id: string;
  /** The checksum that the first event is chained to: the same in a backup, another one in every log that was begun by itself. */
  readonly seed: number;
  /** The id of the file that this is a copy of; null if it is none. */
  readonly origin: string | null;
  /** The token floor of the copy, above which it begins; null = the usual one, which its first start works out. */
  readonly floor: number | null;
}

/** Of a log that begins. */
export function newIdentity(): FileIdentity {
  const id = randomUUID();
  return { id, seed: crc32(id), origin: null, floor: null };
}

/** Of a copy of it, with the same events in the same places. */
export const copiedIdentity = ({ id, seed }: FileIdentity, floor: number | null): FileIdentity => ({
  id: randomUUID(),
  seed,
  origin: id,
  floor,
});

export type IdentityRow = readonly [id: unknown, seed: unknown, origin: unknown, floor: unknown, checksum: unknown];

export const WRITE_IDENTITY = 'REPLACE INTO file (one, id, seed, origin, floor, checksum) VALUES (1, ?, ?, ?, ?, ?)';
export const READ_IDENTITY = 'SELECT id, seed, origin, floor, checksum FROM file WHERE one = 1';

export const identityRow = (identity: FileIdentity): [string, number, string | null, number | null, number] => {
  const { id, seed, origin, floor } = identity;
  return [id, seed, origin, floor, checksumOf(identity)];
};

/** Undefined if it is not the row that was written. */
export function identityFrom(row: IdentityRow | undefined): FileIdentity | undefined {
  if (row === undefined) return undefined;
  const [id, seed, origin, floor, checksum] = row;
  const identity = { id, seed, origin, floor } as FileIdentity;
  return checksum === checksumOf(identity) ? identity : undefined;
}

const checksumOf = ({ id, seed, origin, floor }: FileIdentity): number =>
  crc32(JSON.stringify([id, seed, origin, floor]));

export function refuseOthers(applicationId: unknown, format: unknown, path: string): void {
  if (applicationId === APPLICATION_ID && format === FORMAT) return;
  const value = `application_id ${applicationId}, user_version ${format}`;
  throw new PoolError(
    'INVALID_CONFIG',
    `store: ${path} is no event log of format ${FORMAT} (${value}); one of an older format is exported by the version that wrote it and imported here`,
  );
}
