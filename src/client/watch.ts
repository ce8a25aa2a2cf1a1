import type { Http } from './http.ts';
import type { Keeper } from './lease.ts';
import { follow } from './stream.ts';

/** Leases that are given back within this time cost no stream. */
const WATCH_AFTER_MS = 1_000;
/** What was told of leases that are not held yet, or no more: an answer and the stream race each other. */
const REMEMBERED = 1_000;
const TYPES = ['RevocationNoticed', 'LeaseReclaimed'];

interface Ending {
  readonly leaseId: string;
  readonly reason: string;
  /** Of a notice: when the lease is to end. */
  readonly endsAt?: number;
}

/**
 * Tells the holders of a client's leases of what ends them before their time, as the log tells it, over one stream for all
 * of them, which is open as long as one is held. Without it (the server refuses streams) they hear of it at their renewals.
 */
export class LeaseWatch {
  readonly #http: Http;
  readonly #keepers = new Map<string, Keeper>();
  readonly #told = new Map<string, Ending>();
  #stop: AbortController | undefined;

  constructor(http: Http) {
    this.#http = http;
  }

  get keepers(): Iterable<Keeper> {
    return this.#keepers.values();
  }

  add(keeper: Keeper): void {
    const { id, revision } = keeper.lease;
    this.#keepers.set(id, keeper);
    const told = this.#told.get(id);
    if (told !== undefined) tell(keeper, told);
    if (this.#stop === undefined) this.#start(revision + 1);
  }

  remove(keeper: Keeper): void {
    this.#keepers.delete(keeper.lease.id);
    if (this.#keepers.size > 0) return;
    this.#stop?.abort();
    this.#stop = undefined;
  }

  #start(from: number): void {
    const stop = new AbortController();
    this.#stop = stop;
    const timer = setTimeout(() => void this.#follow(from, stop.signal), WATCH_AFTER_MS);
    (timer as { unref?: () => void }).unref?.();
    stop.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  }

  async #follow(from: number, signal: AbortSignal): Promise<void> {
    try {
      for await (const item of follow(this.#http, '/v1/events', { from, types: TYPES }, signal))
        if ('event' in item) this.#take(item.event.data as Ending);
    } catch {
      // no stream is to be had: renewals tell, later
    }
  }

  #take(ending: Ending): void {
    const keeper = this.#keepers.get(ending.leaseId);
    if (keeper !== undefined) tell(keeper, ending);
    else this.#remember(ending);
  }

  #remember(ending: Ending): void {
    this.#told.set(ending.leaseId, ending);
    if (this.#told.size > REMEMBERED) this.#told.delete(this.#told.keys().next().value!);
  }
}

function tell(keeper: Keeper, { reason, endsAt }: Ending): void {
  if (endsAt === undefined) keeper.lost(reason);
  else keeper.noticed(reason, endsAt);
}
