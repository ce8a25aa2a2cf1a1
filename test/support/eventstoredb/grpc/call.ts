import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { FrameReader, frameHeader } from './frames.ts';
import { StatusCode, StatusError, toStatus } from './status.ts';

/** Answers are gathered until no promise has anything to do any more, or up to this many bytes, and written at once. */
const GATHER_BYTES = 64 * 1024;
/** What a trailer may hold. */
const SENDABLE = /^[\t\x20-\x7e]*$/;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const RESPONSE_HEADERS = { ':status': 200, 'content-type': 'application/grpc' };
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000001 };

/** One gRPC call on one HTTP/2 stream. Ended once; whatever comes after its end is dropped. */
export class Call {
  /** The client will be served by the leader only. */
  readonly requiresLeader: boolean;
  readonly #stream: ServerHttp2Stream;
  readonly #frames = new FrameReader();
  readonly #aborter = new AbortController();
  #gathered: Buffer[] = [];
  #gatheredBytes = 0;
  #isFull = false;
  #hasEnded = false;
  #hasResponded = false;
  #onMessage: (message: Buffer) => void = () => {};
  #onHalfClose: () => void = () => {};
  #deadline: NodeJS.Timeout | undefined;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    this.#stream = stream;
    this.requiresLeader = headers['requires-leader'] === 'true';
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('end', () => this.#guarded(() => this.#onHalfClose()));
    stream.on('error', () => {}); // 'close' follows and says the same
    stream.on('close', () => this.#stop());
    this.#startDeadline(headers['grpc-timeout']);
  }

  /** Aborts when the call is over, for whatever reason: nobody listens any more. */
  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  onMessage(listener: (message: Buffer) => void): void {
    this.#onMessage = listener;
  }

  onHalfClose(listener: () => void): void {
    this.#onHalfClose = listener;
  }

  /** Sends one message. False says that the client is slow: wait for drained() before sending more. */
  write(message: Uint8Array): boolean {
    if (this.#hasEnded) return true;
    if (this.#gatheredBytes === 0) process.nextTick(() => this.#flush());
    this.#gathered.push(frameHeader(message.length), message as Buffer);
    this.#gatheredBytes += message.length + 5;
    if (this.#gatheredBytes >= GATHER_BYTES) this.#flush();
    return !this.#isFull;
  }

  /** Resolves when the client has taken what was written, or the call is over. */
  async drained(): Promise<void> {
    if (!this.#isFull || this.signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stream.once('drain', resolve).once('close', resolve);
    await promise;
    this.#stream.off('drain', resolve).off('close', resolve);
  }

  /** Ends the call: ok without an error, else with the status that the error stands for. */
  end(error?: unknown): void {
    if (this.#hasEnded) return;
    this.#flush();
    this.#hasEnded = true;
    const status = error === undefined ? new StatusError(StatusCode.ok, '') : toStatus(error);
    if (!this.#stream.destroyed) this.#sendStatus(status);
    this.#stop();
  }

  /** Runs `work`; what it throws, or rejects with, ends the call. */
  run(work: () => void | Promise<void>): void {
    this.#guarded(() => {
      const promise = work();
      if (promise instanceof Promise) promise.catch((error: unknown) => this.end(error));
    });
  }

  #receive(chunk: Buffer): void {
    if (this.#hasEnded) return;
    this.#guarded(() => {
      for (const message of this.#frames.push(chunk)) {
        if (this.#hasEnded) return;
        this.#onMessage(message);
      }
    });
  }

  #guarded(work: () => void): void {
    if (this.#hasEnded) return;
    try {
      work();
    } catch (error) {
      this.end(error);
    }
  }

  #flush(): void {
    if (this.#gatheredBytes === 0 || this.#hasEnded || this.#stream.destroyed) return;
    this.#respond();
    const bytes = Buffer.concat(this.#gathered);
    this.#gathered = [];
    this.#gatheredBytes = 0;
    this.#isFull = !this.#stream.write(bytes);
    if (this.#isFull) this.#stream.once('drain', () => (this.#isFull = false));
  }

  #respond(): void {
    if (this.#hasResponded) return;
    this.#hasResponded = true;
    this.#stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
  }

  /** Trailers-Only if nothing was sent yet and it is an error, as the gRPC specification has it. */
  #sendStatus(status: StatusError): void {
    const trailers = trailersOf(status);
    if (!Object.values(status.trailers).every((value) => SENDABLE.test(value))) {
      this.#breakOff();
      return;
    }
    if (!this.#hasResponded && status.code !== StatusCode.ok) {
      this.#stream.respond({ ...RESPONSE_HEADERS, ...trailers }, { endStream: true });
      return;
    }
    this.#respond();
    this.#stream.once('wantTrailers', () => this.#stream.sendTrailers(trailers));
    this.#stream.end();
  }

  /** The real server fails at a trailer that is no printable ASCII: HTTP 500, or a reset if it had begun to answer. */
  #breakOff(): void {
    if (this.#hasResponded) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else this.#stream.respond({ ':status': 500 }, { endStream: true });
  }

  #startDeadline(header: string | string[] | undefined): void {
    const [, amount, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
    const timeoutMs = Number(amount) * (UNIT_MS[unit ?? ''] ?? Number.NaN);
    if (!(timeoutMs <= LONGEST_TIMER_MS)) return;
    this.#deadline = setTimeout(
      () => this.end(new StatusError(StatusCode.deadlineExceeded, 'Deadline Exceeded')),
      timeoutMs,
    );
  }

  #stop(): void {
    this.#hasEnded = true;
    clearTimeout(this.#deadline);
    this.#aborter.abort();
  }
}

function trailersOf(status: StatusError): Record<string, string> {
  const message = status.message === '' ? {} : { 'grpc-message': percentEncoded(status.message) };
  return { 'grpc-status': String(status.code), ...message, ...status.trailers };
}

/** gRPC's own percent-encoding: every byte outside printable ASCII, and "%" itself. */
const percentEncoded = (text: string): string =>
  text.replace(/[^\x20-\x24\x26-\x7e]+/g, (run) => encodeURIComponent(run.toWellFormed()));
