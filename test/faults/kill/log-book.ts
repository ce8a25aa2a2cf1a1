import { openEventStore } from '../../../src/eventstore/open.ts';
import type { RecordedPoolEvent } from '../../../src/model/events.ts';
import { poolStream } from '../../../src/model/ids.ts';
import { LogChecker } from '../../../src/testing/check-log.ts';
import type { Granted, Note } from './acks.ts';

/**
 * A pool's log as it grows over kills: every event goes through the invariants, and what it once held it must hold for ever. It is
 * what callers were told that is held against it.
 */
export class LogBook {
  readonly #checker = new LogChecker();
  readonly #ids: string[] = [];
  readonly #grants = new Map<string, Granted>();
  readonly #leaseOfKey = new Map<string, string>();
  readonly #renewed = new Set<string>();
  readonly #ended = new Set<string>();

  get events(): number {
    return this.#ids.length;
  }

  /** Reads the log and takes what is new in it. Throws on a wrong history, and if anything of the old one is not there. */
  async read(url: string, poolId = 'default'): Promise<void> {
    const store = await openEventStore(url, { readOnly: true });
    try {
      let at = 0;
      for await (const page of store.read(poolStream(poolId)))
        for (const event of page as readonly RecordedPoolEvent[]) this.#meet(event, at++);
      if (at < this.#ids.length) throw new Error(`the log holds ${at} events, it held ${this.#ids.length}`);
    } finally {
      await store.close();
    }
  }

  /** Throws unless the log bears out what a caller was told. */
  bearOut(note: Note): void {
    const wrong = this.#wrongWith(note);
    if (wrong !== undefined) throw new Error(`${JSON.stringify(note)}: ${wrong}`);
  }

  #meet(event: RecordedPoolEvent, at: number): void {
    if (at < this.#ids.length) {
      if (this.#ids[at] !== event.id) throw new Error(`revision ${at} was ${this.#ids[at]}, now it is ${event.id}`);
      return;
    }
    this.#ids.push(event.id);
    this.#checker.take(event);
    if (event.type === 'LeaseGranted') this.#grant(event);
    else if (event.type === 'LeasesRenewed') for (const { leaseId } of event.data.renewals) this.#renewed.add(leaseId);
    else if (event.type === 'LeaseReleased') this.#ended.add(event.data.leaseId);
  }

  #grant({ data, revision }: Extract<RecordedPoolEvent, { type: 'LeaseGranted' }>): void {
    const { leaseId, token, request } = data;
    const key = request.idempotencyKey ?? '';
    const other = this.#leaseOfKey.get(key);
    if (other !== undefined)
      throw new Error(`key ${key} is bound to ${other}, and at revision ${revision} to ${leaseId}`);
    this.#leaseOfKey.set(key, leaseId);
    this.#grants.set(leaseId, { did: 'granted', key, leaseId, token });
  }

  #wrongWith(note: Note): string | undefined {
    switch (note.did) {
      case 'granted':
      case 'replayed': {
        const there = this.#grants.get(note.leaseId);
        if (there === undefined) return 'the grant is lost';
        return there.token === note.token && there.key === note.key
          ? undefined
          : `the log says ${JSON.stringify(there)}`;
      }
      case 'renewed':
        return this.#renewed.has(note.leaseId) ? undefined : 'the renewal is lost';
      case 'released':
        return this.#ended.has(note.leaseId) ? undefined : 'the release is lost';
      default:
        return undefined;
    }
  }
}
