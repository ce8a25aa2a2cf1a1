import { isIPv6 } from 'node:net';
import { PoolError } from '../../../model/errors.ts';

export interface StoreUrl {
  /** What the client is given: the URL with our defaults for what it leaves open. */
  readonly connection: string;
  /** The same for one node, written HOST:PORT, of a cluster. Throws LOG_UNAVAILABLE for an address that the client does not take. */
  readonly connectionTo: (node: string) => string;
  /** Without credentials. */
  readonly shown: string;
  /** How long an append, or the beginning of a read, may take. */
  readonly timeoutMs: number;
  /** HOST:PORT each. */
  readonly hosts: readonly string[];
  /** How the leader of a cluster is looked for; undefined where one node is named, which is used as it is. */
  readonly discovery: DiscoveryLimits | undefined;
}

export interface DiscoveryLimits {
  /** How long a node may take to say what it knows of the cluster. */
  readonly gossipTimeoutMs: number;
  /** Between two rounds of asking all nodes. */
  readonly intervalMs: number;
  /** Rounds until a call fails. */
  readonly maxRounds: number;
  readonly preference: NodePreference;
}

export type NodePreference = 'leader' | 'follower' | 'read_only_replica' | 'random';

const FORM = /^(esdb(?:\+discover)?:\/\/)(?:([^@/?]*)@)?([^@/?]+)\/?(?:\?(.*))?$/;
const HOSTS = /^[A-Za-z0-9._-]+(:\d{1,5})?(,[A-Za-z0-9._-]+(:\d{1,5})?)*$/;
const CREDENTIALS = /^[^:]+:[^:]+$/;
const ALLOWED =
  'esdb://[USER:PASSWORD@]HOST:PORT[,HOST:PORT...][?OPTION=VALUE&...], user and password percent-encoded, HOST a name or an IPv4 address';
/** The client takes no IPv6 address, with or without brackets. */
const NODE = /^[A-Za-z0-9._-]+:(\d+)$/;
const MAX_PORT = 65_535;

/**
 * The client's own are 10 s and 10 s: a frozen server would be noticed after 20 s. Its deadline of 10 s is not applied to a
 * batch append at all. The server gives up a write after 2 s, so that an answer after 3 s will not come.
 */
const DEFAULTS = { keepAliveInterval: 5_000, keepAliveTimeout: 3_000, defaultDeadline: 3_000 };

/** A node that is alive answers gossip from memory. The client's own default is 5 s, which every frozen seed would cost. */
const DISCOVERY = { gossipTimeoutMs: 1_000, intervalMs: 100, maxRounds: 10 };
/** Below it a `gossipTimeout` is in seconds, as this client has it; EventStoreDB's other clients count ms. */
const LEAST_GOSSIP_MS = 100;
const DEFAULT_PORT = '2113';

/** What the client knows; it would ignore any other. `tlsVerifyCert` it knows and does not do. */
const OPTIONS = [
  'tls',
  'tlsCAFile',
  'userCertFile',
  'userKeyFile',
  'connectionName',
  'defaultDeadline',
  'keepAliveInterval',
  'keepAliveTimeout',
  'nodePreference',
  'maxDiscoverAttempts',
  'discoveryInterval',
  'gossipTimeout',
];

/** Throws INVALID_CONFIG naming the value, without credentials, and what is allowed. */
export function parseStoreUrl(url: string): StoreUrl {
  const [, scheme = '', credentials, hosts = '', query = ''] = FORM.exec(url.trim()) ?? [];
  const shown = `${scheme}${hosts}${query === '' ? '' : `?${query}`}`;
  if (!HOSTS.test(hosts)) throw notAllowed(url.replace(/\/\/.*@/, '//***@'));
  if (credentials !== undefined && !CREDENTIALS.test(credentials)) throw notAllowed(`${scheme}***@${hosts}`);
  const options = new Map(query.split('&').flatMap((pair) => (pair === '' ? [] : [splitPair(pair, shown)])));
  for (const [name, ms] of Object.entries(DEFAULTS)) if (!options.has(name)) options.set(name, String(ms));
  const timeoutMs = Number(options.get('defaultDeadline'));
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1)
    throw notAllowed(shown, 'defaultDeadline: whole ms, 1 or more');
  const pairs = [...options].map(([name, value]) => `${name}=${value}`).join('&');
  const login = credentials === undefined ? '' : `${credentials}@`;
  const named = hosts.split(',').map((host) => (host.includes(':') ? host : `${host}:${DEFAULT_PORT}`));
  if (!named.every(isNode)) throw notAllowed(shown, `PORT from 1 to ${MAX_PORT}`);
  return {
    connection: `${scheme}${login}${hosts}?${pairs}`,
    connectionTo: (node) => {
      if (!isNode(node)) throw notTaken(node);
      return `esdb://${login}${node}?${pairs}`;
    },
    shown,
    timeoutMs,
    hosts: named,
    discovery: scheme.includes('discover') || named.length > 1 ? discoveryLimits(options) : undefined,
  };
}

function isNode(node: string): boolean {
  const port = Number(NODE.exec(node)?.[1] ?? 0);
  return port >= 1 && port <= MAX_PORT;
}

/** It is the server that has told the address, not the user. */
function notTaken(node: string): PoolError {
  const isIPv6Address = isIPv6(node.slice(0, node.lastIndexOf(':')));
  const what = isIPv6Address ? 'an IPv6 address' : 'no HOST:PORT';
  return new PoolError('LOG_UNAVAILABLE', `the server names ${node}, ${what}, which the client does not take`);
}

/** The client has refused what is no number by then. */
function discoveryLimits(options: ReadonlyMap<string, string>): DiscoveryLimits {
  const given = (name: string, otherwise: number) =>
    Math.max(1, Number.parseInt(options.get(name) ?? '', 10) || otherwise);
  const gossip = given('gossipTimeout', DISCOVERY.gossipTimeoutMs);
  return {
    gossipTimeoutMs: gossip < LEAST_GOSSIP_MS ? gossip * 1_000 : gossip,
    intervalMs: given('discoveryInterval', DISCOVERY.intervalMs),
    maxRounds: given('maxDiscoverAttempts', DISCOVERY.maxRounds),
    preference: flatPreference(options.get('nodePreference')),
  };
}

function flatPreference(given = 'leader'): NodePreference {
  const known = PREFERENCES.find((name) => flat(name) === flat(given));
  return known ?? 'leader';
}

const PREFERENCES: readonly NodePreference[] = ['leader', 'follower', 'read_only_replica', 'random'];

/** The client takes option names in any case, with _ and - between words. */
const flat = (name: string): string => name.toLowerCase().replace(/[_-]/g, '');

function splitPair(pair: string, shown: string): [string, string] {
  const at = pair.indexOf('=');
  const name = OPTIONS.find((known) => flat(known) === flat(pair.slice(0, at)));
  if (name === undefined || at === pair.length - 1)
    throw notAllowed(shown, `OPTION=VALUE after the ?; options: ${OPTIONS.join(', ')}`);
  return [name, pair.slice(at + 1)];
}

export function notAllowed(shown: string, allowed = ALLOWED, cause?: unknown): PoolError {
  return new PoolError('INVALID_CONFIG', `store: ${JSON.stringify(shown)} is not allowed; allowed: ${allowed}`, {
    cause,
    details: { errors: [{ path: 'store', value: shown, allowed }] },
  });
}
