/**
 * From the moment an append returned to the moment a subscriber has the event, with 1, 100 and 1 000 subscribers: in this
 * process (`manager.events()`), and over SSE, whose readers run in a process of their own that only splits frames. Both
 * processes read the machine's one monotonic clock. One event every few ms, so that it is latency and not throughput.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../../src/api/server.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import type { EventStore } from '../../src/model/event-store.ts';
import { SILENT } from '../../src/model/interfaces.ts';
import { note, progress, quantile, summary, tell } from '../measure.ts';

const EVENTS = 300;
/** How many subscribers, and how often there is an event for them: more would measure throughput. */
const ROUNDS = [
  { subscribers: 1, everyMs: 5 },
  { subscribers: 100, everyMs: 5 },
  { subscribers: 1000, everyMs: 50 },
];
const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

/** What one subscriber saw: revision and instant, in turn. */
type Seen = number[];

function readFrames(url: string, from: number, until: number): Promise<Seen> {
  const seen: Seen = [];
  return new Promise((resolve, reject) => {
    const request = get(`${url}/v1/events?from=${from}`, { headers: { accept: 'text/event-stream' } }, (response) => {
      let rest = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        const at = nowUs();
        const frames = (rest + text).split('\n\n');
        rest = frames.pop()!;
        for (const frame of frames) {
          const revision = /^id: (\d+)/m.exec(frame)?.[1];
          if (revision !== undefined) seen.push(Number(revision), at);
          else if (frame.includes('caughtUp')) process.send?.('caughtUp');
        }
        if (seen.at(-2) === until) {
          request.destroy();
          resolve(seen);
        }
      });
    });
    request.on('error', (error) => (seen.at(-2) === until ? undefined : reject(error)));
  });
}

if (process.argv[2] === 'readers') {
  const [url, count, from, until] = process.argv.slice(3) as [string, string, string, string];
  const readers = Array.from({ length: Number(count) }, () => readFrames(url, Number(from), Number(until)));
  process.send?.(await Promise.all(readers), undefined, undefined, () => process.exit(0));
} else await measure();

async function measure(): Promise<void> {
  const appendedUs = new Map<number, number>();
  const memory = new MemoryEventStore();
  const store: EventStore = {
    traits: memory.traits,
    snapshots: memory.snapshots,
    append: (stream, events, expected) => {
      const result = memory.append(stream, events, expected);
      const at = nowUs();
      if (stream === 'pool-default') for (let i = 1; i <= events.length; i++) appendedUs.set(expected + i, at);
      return result;
    },
    read: (stream, options) => memory.read(stream, options),
    readAll: (options) => memory.readAll(options),
    subscribe: (stream, options) => memory.subscribe(stream, options),
    close: () => memory.close(),
  };
  const detector = createResourceDetector({ capacity: { memory: '64Gi', cpu: 6400 } });
  const manager = new ResourcePoolManager(detector, DEFAULT_POOL_CONFIG, { eventStore: store });
  await manager.ready();
  const server = await startServer(manager, { host: '127.0.0.1', port: 0, logger: SILENT });

  async function produce(everyMs: number): Promise<void> {
    let token = { id: '', token: 0 };
    for (let i = 0; i < EVENTS; i++) {
      await sleep(everyMs);
      if (i % 2 === 0) token = await manager.allocate({ requirements: { memory: 1 } });
      else await manager.release(token);
    }
  }

  const latencies = (all: readonly Seen[]): number[] => {
    const found: number[] = [];
    for (const seen of all)
      for (let i = 0; i < seen.length; i += 2) found.push(seen[i + 1]! - appendedUs.get(seen[i]!)!);
    return found;
  };

  function told(where: string, subscribers: number, seen: readonly Seen[]): void {
    const perEvent = new Map<number, number>();
    for (const one of seen)
      for (let i = 0; i < one.length; i += 2)
        perEvent.set(one[i]!, Math.max(perEvent.get(one[i]!) ?? 0, one[i + 1]! - appendedUs.get(one[i]!)!));
    const missed = seen.filter((one) => one.length / 2 !== EVENTS).length;
    if (missed > 0) throw new Error(`${missed} subscribers did not get exactly ${EVENTS} events`);
    tell({ what: `${where}, ${subscribers} subscribers: delivered`, ...summary(latencies(seen)), unit: 'us' });
    const last = Float64Array.from(perEvent.values()).sort();
    tell({
      what: `${where}, ${subscribers} subscribers: the last of them`,
      p50: quantile(last, 0.5),
      p99: quantile(last, 0.99),
      unit: 'us',
    });
  }

  async function inProcess(subscribers: number, everyMs: number): Promise<void> {
    const from = (await manager.getPool()).revision + 1;
    const until = from + EVENTS - 1;
    const all = Array.from({ length: subscribers }, async () => {
      const seen: Seen = [];
      for await (const event of manager.events({ from })) {
        seen.push(event.revision, nowUs());
        if (event.revision === until) break;
      }
      return seen;
    });
    await sleep(50);
    await produce(everyMs);
    told('in process', subscribers, await Promise.all(all));
  }

  async function overSse(subscribers: number, everyMs: number): Promise<void> {
    const from = (await manager.getPool()).revision + 1;
    const child = fork(new URL(import.meta.url), [
      'readers',
      server.url,
      String(subscribers),
      String(from),
      String(from + EVENTS - 1),
    ]);
    const seen = collect(child, subscribers);
    await seen.ready;
    await produce(everyMs);
    told('SSE', subscribers, await seen.all);
  }

  for (const [n, { subscribers, everyMs }] of ROUNDS.entries()) {
    await inProcess(subscribers, everyMs);
    progress(2 * n + 1, 6);
    await overSse(subscribers, everyMs);
    progress(2 * n + 2, 6);
  }
  note(
    `${EVENTS} events each over memory:, one every 5 ms (50 ms for 1000 subscribers); every subscriber got every event once, in order`,
  );
  await server.close();
  await manager.dispose();
}

function collect(child: ChildProcess, subscribers: number): { ready: Promise<void>; all: Promise<Seen[]> } {
  let caughtUp = 0;
  const ready = Promise.withResolvers<void>();
  const all = Promise.withResolvers<Seen[]>();
  child.on('message', (message: 'caughtUp' | Seen[]) => {
    if (message !== 'caughtUp') return all.resolve(message);
    caughtUp += 1;
    if (caughtUp === subscribers) ready.resolve();
  });
  child.on('exit', (code) => code !== 0 && all.reject(new Error(`the readers ended with ${code}`)));
  return { ready: ready.promise, all: all.promise };
}
