/** What sqlite says, by its primary result codes (sqlite.org/rescode.html). */
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const PROTOCOL = 15;
const NOT_A_DATABASE = 26;

/** Extended ones. */
const IO_ERROR_WRITE = 778;
const READ_ONLY_MOVED = 1_032;

const codeOf = (error: unknown): number => (error as { errcode?: number }).errcode ?? 0;
const isOneOf = (error: unknown, ...codes: readonly number[]): boolean => codes.includes(codeOf(error) % 256);

/** Somebody else has a lock; of a statement that begins a transaction: it did nothing. Also BUSY_SNAPSHOT and BUSY_RECOVERY. */
export const isHeld = (error: unknown): boolean => isOneOf(error, BUSY, LOCKED, PROTOCOL);

/** The disk, or the file's share of it, takes no more. No sync has failed. */
export const isFull = (error: unknown): boolean => isOneOf(error, FULL);

/** A write was refused, for want of room or by the disk. No sync has failed. */
export const isUnwritten = (error: unknown): boolean => isFull(error) || codeOf(error) === IO_ERROR_WRITE;

export const isDamage = (error: unknown): boolean => isOneOf(error, CORRUPT, NOT_A_DATABASE);

/** sqlite can make no file that it needs. */
export const isSealed = (error: unknown): boolean => isOneOf(error, CANNOT_OPEN, READ_ONLY);

/** The file has another name by now, or none. */
export const isMoved = (error: unknown): boolean => codeOf(error) === READ_ONLY_MOVED;

/** Not one byte could be written. */
export const isWriteless = (error: unknown): boolean => isOneOf(error, FULL, IO_ERROR, CANNOT_OPEN);
