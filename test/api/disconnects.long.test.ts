import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { servePool } from './support/pool.ts';

const DISCONNECTS = Number(process.env['DISCONNECTS'] ?? 2_000);
const READERS = 8;

/** Reads the log as server-sent events over as many connections as it takes, each from Last-Event-ID on. */
class Reader {
  /** The revision that comes next. */
  next = 0;
  lost = 0;
  readonly #url: string;
  readonly #restMs: number;
  #stopped = false;

  constructor(url: string, restMs: number) {
    this.#url = url;
    this.#restMs = restMs;
  }

  /** Rejects at a gap or a duplicate. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const response = await this.#connect().catch(() => undefined);
      if (response === undefined) await sleep(2);
      else await this.#read(response);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #connect(): Promise<IncomingMessage> {
    const resumed = this.next === 0 ? {} : { 'last-event-id': String(this.next - 1) };
    const request = get(`${this.#url}/v1/events`, {
      agent: false,
      headers: { accept: 'text/event-stream', ...resumed },
    });
    request.on('error', () => {}); // the response says the same
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    return response.setEncoding('utf8');
  }

  async #read(response: IncomingMessage): Promise<void> {
    let rest = '';
    try {
      for await (const text of response) {
        const frames = (rest + text).split('\n\n');
        rest = frames.pop()!;
        for (const frame of frames) this.#take(frame);
        if (this.#stopped) return;
        if (this.#restMs > 0) await sleep(this.#restMs);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
      this.lost += 1;
    }
  }

  #take(frame: string): void {
    const id = /^id: (\d+)$/m.exec(frame)?.[1];
    if (id === undefined) return;
    if (Number(id) !== this.next) throw new Error(`${id} came instead of ${this.next}`);
    this.next += 1;
  }
}

test(`server-sent events miss and double nothing over ${DISCONNECTS} disconnects, with readers of any speed`, async () => {
  const { url, manager } = await servePool({ capacity: { memory: '1Gi', cpu: 400 } });
  const { hostname, port } = new URL(url);
  const proxy = await startFaultProxy({ target: { host: hostname, port: Number(port) } });
  const readers = Array.from({ length: READERS }, (_, n) => new Reader(`http://127.0.0.1:${proxy.port}`, n % 4));
  const reading = Promise.all(readers.map((reader) => reader.run()));
  const lost = () => readers.reduce((sum, reader) => sum + reader.lost, 0);
  while (lost() < DISCONNECTS) {
    for (let n = 0; n < 3; n++) await manager.release(await manager.allocate({ requirements: { memory: 1 } }));
    await Promise.race([sleep(10), reading]);
    proxy.cut();
  }
  const { revision } = await manager.getPool();
  while (readers.some(({ next }) => next <= revision)) await Promise.race([sleep(10), reading]);
  console.log(`SSE: ${lost()} connections lost, ${revision + 1} events to ${READERS} readers`);
  for (const reader of readers) reader.stop();
  proxy.cut();
  await reading;
  expect(readers.map(({ next }) => next)).toEqual(readers.map(() => revision + 1));
  await proxy.stop();
});
