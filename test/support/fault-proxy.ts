import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface FaultProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** 0, the default, takes any free port. */
  readonly port?: number;
}

/** What a proxy has done since its start. `live` connections are those open now. */
export interface FaultCounters {
  readonly accepted: number;
  readonly live: number;
  readonly cut: number;
  readonly bytesToTarget: number;
  readonly bytesToClient: number;
  readonly droppedBytesToTarget: number;
  readonly droppedBytesToClient: number;
}

/** A TCP proxy on 127.0.0.1 whose switches can be thrown at any time; each stays until heal(). */
export interface FaultProxy {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly counters: FaultCounters;
  /** Every byte arrives this many ms later, in order; 0 ends it. */
  delay(ms: number): void;
  /** Resets all connections. New ones are served. */
  cut(): void;
  /** As a stopped process: connections stay open, and are accepted; what was sent is kept, and passes at heal(). */
  freeze(): void;
  /** Connections stay open, and are accepted, but nothing passes in either direction. */
  halfOpen(): void;
  /** What clients send arrives; what the target answers does not. */
  dropAnswers(): void;
  /** Ends all faults. Connections that lost bytes are reset: their streams can never be whole again. */
  heal(): void;
  stop(): Promise<void>;
}

type Fault = 'none' | 'frozen' | 'halfOpen' | 'dropAnswers';

interface Switches {
  fault: Fault;
  delayMs: number;
  /** While frozen: settles with the end of it. */
  thawed: Promise<void>;
  thaw: () => void;
}

type Counts = { -readonly [Name in keyof FaultCounters]: number };

export async function startFaultProxy({ target, port = 0 }: FaultProxyOptions): Promise<FaultProxy> {
  const switches: Switches = { fault: 'none', delayMs: 0, thawed: Promise.resolve(), thaw: () => {} };
  const counts: Counts = {
    accepted: 0,
    live: 0,
    cut: 0,
    bytesToTarget: 0,
    bytesToClient: 0,
    droppedBytesToTarget: 0,
    droppedBytesToClient: 0,
  };
  const links = new Set<Link>();
  const server = createServer((client) => {
    const link = new Link(client, connect(target.port, target.host), switches, counts);
    links.add(link);
    client.once('close', () => links.delete(link));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const cutThose = (isCut: (link: Link) => boolean) => {
    for (const link of [...links].filter(isCut)) link.cut();
  };
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    get counters() {
      return { ...counts, live: links.size };
    },
    delay: (ms) => {
      switches.delayMs = ms;
    },
    cut: () => cutThose(() => true),
    freeze: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      Object.assign(switches, { fault: 'frozen', thawed: promise, thaw: resolve });
    },
    halfOpen: () => {
      switches.thaw();
      switches.fault = 'halfOpen';
    },
    dropAnswers: () => {
      switches.fault = 'dropAnswers';
    },
    heal: () => {
      Object.assign(switches, { fault: 'none', delayMs: 0 });
      switches.thaw();
      cutThose((link) => link.hasLostBytes);
    },
    stop: async () => {
      cutThose(() => true);
      server.close();
      await once(server, 'close');
    },
  };
}

/** One connection of a client and the one to the target that goes with it. */
class Link {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #counts: Counts;
  hasLostBytes = false;

  constructor(client: Socket, target: Socket, switches: Switches, counts: Counts) {
    this.#client = client;
    this.#target = target;
    this.#counts = counts;
    counts.accepted++;
    const drops = (count: 'droppedBytesToTarget' | 'droppedBytesToClient', bytes: number) => {
      this.hasLostBytes = true;
      counts[count] += bytes;
    };
    forward(client, target, {
      delayMs: () => switches.delayMs,
      thawed: () => frozen(switches),
      passes: () => switches.fault !== 'halfOpen',
      passed: (bytes) => {
        counts.bytesToTarget += bytes;
      },
      dropped: (bytes) => drops('droppedBytesToTarget', bytes),
    });
    forward(target, client, {
      delayMs: () => switches.delayMs,
      thawed: () => frozen(switches),
      passes: () => switches.fault === 'none',
      passed: (bytes) => {
        counts.bytesToClient += bytes;
      },
      dropped: (bytes) => drops('droppedBytesToClient', bytes),
    });
  }

  cut(): void {
    this.#counts.cut++;
    this.#client.resetAndDestroy();
    this.#target.resetAndDestroy();
  }
}

const frozen = ({ fault, thawed }: Switches): Promise<void> | undefined => (fault === 'frozen' ? thawed : undefined);

interface Direction {
  delayMs(): number;
  /** Of a frozen link: settles when it is no longer. */
  thawed(): Promise<void> | undefined;
  passes(): boolean;
  passed(bytes: number): void;
  dropped(bytes: number): void;
}

/** Carries the bytes of `from`, and its end, to `to`. Whether they pass is decided when they are due. */
function forward(from: Socket, to: Socket, direction: Direction): void {
  let last: Promise<void> | undefined;
  from.setNoDelay(true);
  from.on('data', (chunk: Buffer) => {
    const dueMs = performance.now() + direction.delayMs();
    const carry = async () => {
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      await direction.thawed();
      if (to.destroyed) return;
      if (!direction.passes()) return direction.dropped(chunk.length);
      direction.passed(chunk.length);
      if (!to.write(chunk)) await drained(from, to);
    };
    last = last === undefined ? carry() : last.then(carry);
  });
  from.on('end', () => void (last ?? Promise.resolve()).then(() => to.end()));
  from.on('error', () => {}); // 'close' follows
  from.on('close', (hadError) => hadError && to.destroy());
}

async function drained(from: Socket, to: Socket): Promise<void> {
  from.pause();
  const { promise, resolve } = Promise.withResolvers<void>();
  to.once('drain', resolve).once('close', resolve);
  await promise;
  to.off('drain', resolve).off('close', resolve);
  from.resume();
}
