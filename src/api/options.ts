import { invalid } from '../model/errors.ts';
import { type Logger, SILENT } from '../model/interfaces.ts';

/** Bounds of what one client can hold or send. Times in ms, sizes in bytes. */
export interface Limits {
  /** A request must have arrived whole by then; how long its answer takes is another matter. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** How often overdue connections are looked for. */
  readonly connectionsCheckMs: number;
  readonly bodyBytes: number;
  readonly paramLength: number;
  /** Event streams that may be open at once. */
  readonly streams: number;
  /** What may lie ready for a reader of a live stream that does not take it, before it is left to read the log. */
  readonly streamEvents: number;
  readonly streamBytes: number;
  readonly heartbeatMs: number;
  /** An event loop later than this refuses new allocates; 0 = never. */
  readonly eventLoopDelayMs: number;
  /** A connection whose answer lies there, and that takes nothing of it for so long, ends. */
  readonly stalledMs: number;
  /** The same while the server closes. */
  readonly unreadCloseMs: number;
  /** After this the connections that are still open are cut when the server closes. */
  readonly closeMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5_000,
  keepAliveTimeoutMs: 15_000,
  connectionsCheckMs: 1_000,
  bodyBytes: 64 * 1024,
  paramLength: 128,
  streams: 4_096,
  streamEvents: 1_024,
  streamBytes: 1024 * 1024,
  heartbeatMs: 15_000,
  eventLoopDelayMs: 1_000,
  stalledMs: 120_000,
  unreadCloseMs: 1_000,
  closeMs: 10_000,
};

export interface ServerOptions {
  /** Loopback only, as long as there are no keys. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free one. Default 7070. */
  readonly port?: number;
  readonly logger?: Logger;
  /** Host names besides the loopback ones that requests may name (DNS rebinding). */
  readonly allowedHosts?: readonly string[];
  /** Off by default. */
  readonly rateLimit?: { readonly max: number; readonly windowMs: number };
  readonly limits?: Partial<Limits>;
}

export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly logger: Logger;
  readonly allowedHosts: readonly string[];
  readonly rateLimit: { readonly max: number; readonly windowMs: number } | undefined;
  readonly limits: Limits;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\]|::ffff:127(\.\d{1,3}){3})$/i;
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** The options with their defaults. Throws INVALID_CONFIG for a host that others could reach. */
export function settingsOf(options: ServerOptions): Settings {
  const host = options.host ?? '127.0.0.1';
  if (!isLoopback(host)) {
    const allowed = 'a loopback address (127.0.0.1, ::1, localhost): without keys only this machine may be served';
    throw invalid([{ path: 'host', value: host, allowed }], 'INVALID_CONFIG');
  }
  const port = options.port ?? 7070;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw invalid([{ path: 'port', value: port, allowed: 'a whole number from 0 to 65535' }], 'INVALID_CONFIG');
  return {
    host,
    port,
    logger: options.logger ?? SILENT,
    allowedHosts: (options.allowedHosts ?? []).map((name) => name.toLowerCase()),
    rateLimit: options.rateLimit,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
  };
}
