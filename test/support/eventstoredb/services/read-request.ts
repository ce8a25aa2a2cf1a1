import { randomUUID } from 'node:crypto';
import type { ReadReq } from '@eventstore/db-client/generated/streams_pb.js';
import { HandlerException, invalidArgument, StatusCode, StatusError } from '../grpc/status.ts';
import { type Position, UNSET } from '../log/positions.ts';
import { streamNameFrom } from '../proto/decode.ts';
import type { UuidForm } from '../proto/encode-read.ts';
import { positionFrom, revisionFrom } from '../proto/numbers.ts';
import { PAGE_COUNT } from '../read/answers.ts';
import { type Filter, filterOf } from '../read/filter.ts';
import type { AllRead } from '../read/read-all.ts';
import type { StreamRead } from '../read/read-stream.ts';
import type { AllSubscription } from '../read/subscribe-all.ts';
import type { StreamSubscription } from '../read/subscribe-stream.ts';

type Options = ReadReq.Options;
type StreamOptions = ReadReq.Options.StreamOptions;
type AllOptions = ReadReq.Options.AllOptions;
type FilterOptions = ReadReq.Options.FilterOptions;

/** `nothing`: no start was named; the real server then ends the call without a message. */
export type ParsedRead =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'stream'; readonly read: StreamRead }
  | { readonly kind: 'all'; readonly read: AllRead }
  | { readonly kind: 'streamSubscription'; readonly subscription: StreamSubscription }
  | { readonly kind: 'allSubscription'; readonly subscription: AllSubscription };

const NOTHING: ParsedRead = { kind: 'nothing' };
const NULL_REFERENCE = 'Object reference not set to an instance of an object.';

/** Checks in the order of the real server: which of several mistakes is told depends on it. */
export function parseRead(options: Options | undefined): { request: ParsedRead; uuidForm: UuidForm } {
  if (options === undefined) throw new HandlerException(NULL_REFERENCE);
  const uuidOption = options.getUuidOption();
  if (uuidOption === undefined) throw new StatusError(StatusCode.invalidArgument, '');
  const stream = options.getStream();
  if (stream === undefined && !options.hasAll()) {
    throw invalidArgument('None', 'ReadReq+Types+Options+StreamOptionOneofCase');
  }
  const name = stream && streamNameFrom(stream.getStreamIdentifier());
  return {
    request: name === undefined ? parseAll(options) : parseStream(options, name),
    uuidForm: uuidOption.hasString() ? 'string' : 'structured',
  };
}

function parseStream(options: Options, stream: string): ParsedRead {
  const isSubscription = options.hasSubscription();
  const isForwards = options.getReadDirection() === 0;
  assertCombination(options, options.hasNoFilter() && (isForwards || options.hasCount()));
  const start = streamStart(options.getStream()!);
  if (start === undefined) return NOTHING;
  if (stream === '') throw new HandlerException("Value cannot be null. (Parameter 'streamName')");
  const resolveLinks = options.getResolveLinks();
  if (isSubscription) {
    const after = start === 'start' ? -1 : start === -1 ? undefined : start;
    return { kind: 'streamSubscription', subscription: { id: randomUUID(), stream, after, resolveLinks } };
  }
  return {
    kind: 'stream',
    read: {
      stream,
      from: start === 'start' ? 0 : start,
      direction: isForwards ? 'forwards' : 'backwards',
      count: countOf(options),
      resolveLinks,
      tellsPositions: (options.getControlOption()?.getCompatibility() ?? 0) >= 1,
    },
  };
}

function parseAll(options: Options): ParsedRead {
  const isForwards = options.getReadDirection() === 0;
  assertCombination(options, (options.hasNoFilter() || options.hasFilter()) && (isForwards || options.hasCount()));
  const start = allStart(options.getAll()!);
  if (start === undefined) return NOTHING;
  const filter = parseFilter(options.getFilter());
  const resolveLinks = options.getResolveLinks();
  if (options.hasSubscription()) {
    const after = start === 'start' ? UNSET : isEnd(start) ? undefined : start;
    const checkpoints = filter && { ...filter, checkpointInterval: checkpointInterval(options, filter.window) };
    const id = randomUUID();
    return {
      kind: 'allSubscription',
      subscription: { id, after, resolveLinks, ...(checkpoints && { filter: checkpoints }) },
    };
  }
  return {
    kind: 'all',
    read: {
      from: start === 'start' ? { commit: 0, prepare: 0 } : start,
      direction: isForwards ? 'forwards' : 'backwards',
      count: countOf(options),
      resolveLinks,
      ...(filter && { filter }),
    },
  };
}

/** `isValid` says it of filter and direction; a count or a subscription is always needed. */
function assertCombination(options: Options, isValid: boolean): void {
  if (isValid && (options.hasCount() || options.hasSubscription())) return;
  const stream = options.hasStream() ? 'Stream' : 'All';
  const count = options.hasCount() ? 'Count' : options.hasSubscription() ? 'Subscription' : 'None';
  const direction = ['Forwards', 'Backwards'][options.getReadDirection()] ?? String(options.getReadDirection());
  const filter = options.hasFilter() ? 'Filter' : options.hasNoFilter() ? 'NoFilter' : 'None';
  throw new StatusError(
    StatusCode.invalidArgument,
    `The combination of (${stream}, ${count}, ${direction}, ${filter}) is invalid.`,
  );
}

/** A revision (-1 is the end), or undefined if none was named. */
function streamStart(options: StreamOptions): number | 'start' | undefined {
  if (options.hasRevision()) return revisionFrom(options.getRevision());
  if (options.hasEnd()) return -1;
  return options.hasStart() ? 'start' : undefined;
}

function allStart(options: AllOptions): Position | 'start' | undefined {
  const position = options.getPosition();
  if (position !== undefined) return positionFrom(position.getCommitPosition(), position.getPreparePosition());
  if (options.hasEnd()) return UNSET;
  return options.hasStart() ? 'start' : undefined;
}

const isEnd = ({ commit, prepare }: Position): boolean => commit === -1 && prepare === -1;

/** A count may be as large as 2^64-1; pages are never larger than 32. */
const countOf = (options: Options): number => Number(options.getCount());

/** A window is taken as a signed 32-bit number there: from 2^31 on it is negative. */
function parseFilter(filter: FilterOptions | undefined): { passes: Filter; window: number } | undefined {
  if (filter === undefined) return undefined;
  const passes = filterOf(expressionOf(filter));
  if (filter.hasMax()) return { passes, window: filter.getMax() | 0 };
  if (filter.hasCount()) return { passes, window: PAGE_COUNT };
  throw invalidArgument('None', 'ReadReq+Types+Options+Types+FilterOptions+WindowOneofCase');
}

function expressionOf(filter: FilterOptions): Parameters<typeof filterOf>[0] {
  const expression = filter.getEventType() ?? filter.getStreamIdentifier();
  if (expression === undefined) {
    throw invalidArgument(printed(filter), 'ReadReq+Types+Options+Types+FilterOptions');
  }
  return {
    subject: filter.hasEventType() ? 'eventType' : 'stream',
    regex: expression.getRegex(),
    prefixes: expression.getPrefixList(),
  };
}

/** The filter as .NET prints it. */
function printed(filter: FilterOptions): string {
  const max = filter.hasMax() ? [`"max": ${filter.getMax()}`] : [];
  const count = filter.hasCount() ? ['"count": { }'] : [];
  const multiplier = filter.getCheckpointintervalmultiplier();
  const interval = multiplier === 0 ? [] : [`"checkpointIntervalMultiplier": ${multiplier}`];
  const members = [...max, ...count, ...interval].join(', ');
  return members === '' ? '{ }' : `{ ${members} }`;
}

function checkpointInterval(options: Options, window: number): number {
  const multiplier = options.getFilter()?.getCheckpointintervalmultiplier() ?? 0;
  if (multiplier === 0) throw new HandlerException("checkpointIntervalMultiplier ('0') must be a non-zero value.");
  return multiplier * window;
}
