import { setTimeout as sleep } from 'node:timers/promises';
import type { Ack, Asked, Book } from './acks.ts';

export interface Held {
  readonly leaseId: string;
  readonly token: number;
}

/** A pool as its callers see it, in this process or over HTTP. Throws what it refuses, with its code. */
export interface Pool {
  allocate(asked: Asked): Promise<Held>;
  renew(held: Held): Promise<void>;
  release(held: Held): Promise<void>;
  /** The leases that are live now. */
  live(): Promise<Held[]>;
  /** Throws if there is no such lease. */
  find(leaseId: string): Promise<Held>;
}

export interface LoadOptions {
  readonly pool: Pool;
  readonly note: (ack: Ack) => void;
  readonly random: () => number;
  /** Tells this process's names from those of the ones before. */
  readonly prefix: string;
  readonly callers: number;
  /** How long a caller rests between two calls, ms; 0 = not at all. */
  readonly restMs?: number;
  /** False ends the load. */
  readonly going: () => boolean;
}

/** As it is asked for after a restart: what was promised last answers, and what was never answered is asked for again under its key. */
export async function askAgain({ pool, note }: LoadOptions, book: Book): Promise<void> {
  const { last } = book;
  if (last !== undefined) {
    const { leaseId, token } = last.granted;
    const found = await pool.find(leaseId);
    if (found.token !== token) throw new Error(`lease ${leaseId} answers with token ${found.token}, not ${token}`);
    note({ did: 'found', leaseId });
    note({ did: 'replayed', key: last.asked.key, ...(await pool.allocate(last.asked)) });
  }
  for (const asked of book.unanswered.slice(-10)) await allocate(pool, note, asked);
}

/** Callers that allocate, renew and release until `going` says no; each waits for its answer before it goes on. */
export async function runLoad(options: LoadOptions): Promise<void> {
  const { pool, note, random, prefix, callers, going, restMs = 0 } = options;
  const held = await pool.live().catch((error: unknown): Held[] => {
    codeOf(error);
    return [];
  });
  let asked = 0;
  const caller = async () => {
    while (going()) {
      if (restMs > 0) await sleep(restMs);
      const give = held.length > 0 && random() % 100 < 50;
      if (give) await renewOrRelease(pool, note, held.splice(random() % held.length, 1)[0]!, held, random);
      else {
        asked += 1;
        const ask: Asked = {
          did: 'ask',
          key: `${prefix}-${asked}`,
          name: `t-${prefix}-${asked}`,
          memory: 1 + (random() % 4),
        };
        note(ask);
        const lease = await allocate(pool, note, ask);
        if (lease !== undefined) held.push(lease);
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

async function allocate(pool: Pool, note: LoadOptions['note'], asked: Asked): Promise<Held | undefined> {
  try {
    const lease = await pool.allocate(asked);
    note({ did: 'granted', key: asked.key, ...lease });
    return lease;
  } catch (error) {
    const code = codeOf(error, FENCED);
    if (!UNCERTAIN.has(code)) note({ did: 'refused', key: asked.key, code });
    return undefined;
  }
}

async function renewOrRelease(
  pool: Pool,
  note: LoadOptions['note'],
  lease: Held,
  held: Held[],
  random: () => number,
): Promise<void> {
  const { leaseId } = lease;
  try {
    if (random() % 100 < 30) {
      await pool.renew(lease);
      note({ did: 'renewed', leaseId });
      held.push(lease);
    } else {
      note({ did: 'releasing', leaseId });
      await pool.release(lease);
      note({ did: 'released', leaseId });
    }
  } catch (error) {
    codeOf(error);
  }
}

/** The store or the server went away: done or not. */
const UNCERTAIN: ReadonlySet<string> = new Set(['OUTCOME_UNKNOWN', 'LOG_UNAVAILABLE', 'DRAINING', 'GONE']);
const EXPECTED: ReadonlySet<string> = new Set([
  ...UNCERTAIN,
  'EXHAUSTED',
  'OVERLOADED',
  'BREAKER_OPEN',
  'WAIT_EXPIRED',
]);

/** A key that was never answered may have been granted, and the lease given back since by whoever found it. */
const FENCED = 'FENCED';

/** The code of an answer that may come. Throws on any other: a caller who holds a lease is never refused. */
function codeOf(error: unknown, also?: string): string {
  const code = String((error as { code?: unknown }).code);
  if (!EXPECTED.has(code) && code !== also) throw error;
  return code;
}
