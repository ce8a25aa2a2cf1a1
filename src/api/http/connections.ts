import { readFileSync } from 'node:fs';
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Admission } from '../../time/turn.ts';
import type { Limits } from '../options.ts';
import type { ReaderBudget } from '../readers/reader-budget.ts';

/** A connection with more requests than this before it is not read from until they are fewer. */
const PAUSE_AT = 16;
/** A read holds some two thousand of the shortest. Who gets further ahead all the same is cut off. */
const MAX_AHEAD = 4_096;
/** How often connections are looked at while the server closes. */
const CLOSING_CHECK_MS = 20;
/** While readers hold all that they may, an answer that nobody takes makes room after this. */
const STALLED_WHEN_FULL_MS = 10_000;

interface Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** A connection, and what is asked over it: one request at a time, the next when the answer before has been taken. */
class Connection {
  readonly socket: Socket;
  readonly #handle: RequestListener;
  readonly #admission: Admission;
  readonly #ahead: Turn[] = [];
  current: Turn | undefined;
  /** When it last changed whether it is busy, or something more was taken of its answer; `performance.now()`, ms. */
  sinceMs = performance.now();
  #taken = '';
  /** When the handler had made its answer, as far as it was looked for. */
  endedMs: number | undefined;
  /** Answers what could not be read: once, after all that was asked before it. Nothing is taken behind that. */
  #answerUnread: (() => void) | undefined;

  constructor(socket: Socket, handle: RequestListener, admission: Admission) {
    this.socket = socket;
    this.#handle = handle;
    this.#admission = admission;
  }

  take(turn: Turn): void {
    if (this.#answerUnread !== undefined) this.socket.pause();
    else if (this.current === undefined) this.#run(turn);
    else this.#keep(turn);
  }

  /**
   * What comes next cannot be read, be it a request or the rest of the last one: `answer` says so in its turn. It is no answer to a
   * request that is in work, whose outcome it would misstate.
   */
  unreadable(answer: () => void): void {
    const isBehind = this.current?.request.complete === true;
    if (isBehind && this.socket.readableEnded) this.socket.destroy(); // as after whole requests: the client has left
    if (this.#answerUnread !== undefined) return;
    this.#answerUnread = answer;
    if (!isBehind) answer();
  }

  /** For how long nothing has been taken of an answer that lies there, in ms; 0 if none does. */
  stalledMs(nowMs: number): number {
    const { socket } = this;
    if (this.current === undefined || this.current.response.writableLength === 0) return 0;
    // What the kernel has not taken yet of a single large write, Node keeps in the handle only.
    const queued = (socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle?.writeQueueSize;
    const taken = `${socket.bytesWritten} ${socket.writableLength} ${queued}`;
    if (taken !== this.#taken) {
      this.#taken = taken;
      this.sinceMs = nowMs;
    }
    return nowMs - this.sinceMs;
  }

  #keep(turn: Turn): void {
    this.#ahead.push(turn);
    if (this.#ahead.length >= PAUSE_AT) this.socket.pause(); // again, where Node has let it go on
    if (this.#ahead.length > MAX_AHEAD) this.socket.destroy();
  }

  #run(turn: Turn): void {
    this.current = turn;
    this.sinceMs = performance.now();
    this.endedMs = undefined;
    turn.response.once('close', this.#next);
    this.#admission.begin(() => {
      if (!turn.response.destroyed) this.#handle(turn.request, turn.response);
    });
  }

  readonly #next = (): void => {
    this.current = undefined;
    this.sinceMs = performance.now();
    if (this.socket.destroyed) {
      this.#ahead.length = 0; // nobody is there to be answered
      return;
    }
    const next = this.#ahead.shift();
    if (this.#ahead.length === PAUSE_AT - 1) this.socket.resume();
    if (next?.request.complete === false && this.#answerUnread !== undefined) this.#answerUnread();
    else if (next !== undefined) this.#run(next);
    else this.#answerUnread?.();
  };
}

/**
 * The connections that are open. Each is answered one request at a time, and all of them together for a slice in each turn of the loop,
 * however many requests have come in one packet or over many connections at once; one that takes nothing of its answer for
 * `limits.stalledMs` ends; when descriptors run short the one that has been idle longest makes room for the next.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>();
  readonly #limits: Limits;
  readonly #budget: ReaderBudget;
  readonly #most: number;
  readonly #sweeper: NodeJS.Timeout;
  readonly #admission = new Admission();
  #closing: NodeJS.Timeout | undefined;

  constructor(limits: Limits, budget: ReaderBudget, most = mostConnections()) {
    this.#limits = limits;
    this.#budget = budget;
    this.#most = most;
    this.#sweeper = setInterval(() => this.#endStalled(), limits.connectionsCheckMs).unref();
  }

  /** Serves a server's connections by `handle`. */
  serve(server: Server, handle: RequestListener): void {
    if (Number.isFinite(this.#most)) server.maxConnections = this.#most;
    server.on('connection', (socket: Socket) => {
      if (this.#open.size + 1 >= this.#most) this.#makeRoom();
      this.#open.set(socket, new Connection(socket, handle, this.#admission));
      socket.once('close', () => this.#open.delete(socket));
    });
    server.on('request', (request, response) => {
      const connection = this.#open.get(request.socket);
      if (connection === undefined) handle(request, response);
      else connection.take({ request, response });
    });
  }

  /** What the parser could not read of a connection is answered by `answer`, after what was asked before, if its client is there then. */
  unreadable(socket: Socket, answer: () => void): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) answer();
    else connection.unreadable(answer);
  }

  /**
   * Ends at once what asks for nothing, or has not asked yet: idle connections and half requests. What is in work gets its answer;
   * an answer that lies there is cut after `limits.unreadCloseMs`. Goes on until `stop`.
   */
  close(): void {
    this.#endForClose();
    clearInterval(this.#sweeper);
    this.#closing ??= setInterval(() => this.#endForClose(), CLOSING_CHECK_MS);
  }

  stop(): void {
    clearInterval(this.#sweeper);
    clearInterval(this.#closing);
  }

  #endForClose(): void {
    const nowMs = performance.now();
    for (const connection of this.#open.values()) if (this.#isOver(connection, nowMs)) connection.socket.destroy();
  }

  #isOver(connection: Connection, nowMs: number): boolean {
    const { current } = connection;
    if (current === undefined || !current.request.complete) return true;
    if (!current.response.writableEnded) return false;
    connection.endedMs ??= nowMs;
    return nowMs - connection.endedMs > this.#limits.unreadCloseMs;
  }

  #endStalled(): void {
    const nowMs = performance.now();
    for (const connection of this.#open.values()) {
      const stalledMs = connection.stalledMs(nowMs);
      if (stalledMs > this.#patience(connection) || this.#isLeftOver(connection, nowMs)) connection.socket.destroy();
    }
  }

  /** A stream goes on from its place for as long as may be; what is asked again as a whole makes room for others. */
  #patience({ current }: Connection): number {
    const { stalledMs } = this.#limits;
    const isStream = current?.response.getHeader('content-type') === 'text/event-stream';
    return this.#budget.isFull && !isStream ? Math.min(STALLED_WHEN_FULL_MS, stalledMs) : stalledMs;
  }

  /** Answered for the last time, as after what was no HTTP, and not closed by the other side. */
  #isLeftOver({ socket, current, sinceMs }: Connection, nowMs: number): boolean {
    return current === undefined && socket.writableEnded && nowMs - sinceMs > this.#limits.unreadCloseMs;
  }

  #makeRoom(): void {
    let idlest: Connection | undefined;
    for (const connection of this.#open.values())
      if (connection.current === undefined && (idlest === undefined || connection.sinceMs < idlest.sinceMs))
        idlest = connection;
    idlest?.socket.destroy();
  }
}

/** Kept for the log, the store and what detection reads. */
const RESERVED_DESCRIPTORS = 64;

/** As many as the process's descriptors allow, less a reserve; no bound where that cannot be read. */
function mostConnections(): number {
  try {
    const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
    return limit > 0 ? Math.max(1, limit - Math.min(RESERVED_DESCRIPTORS, Math.floor(limit / 2))) : Infinity;
  } catch {
    return Infinity;
  }
}
