import { Empty, ReadReq, type ReadRequest, streamIdentifier } from './messages.ts';

const { Options } = ReadReq;
const FORWARDS = 0;
const BACKWARDS = 1;

/** What all reads have in common: ids as text, links not followed. */
function request(fill: (options: InstanceType<typeof Options>) => void): ReadRequest {
  const options = new Options();
  const uuid = new Options.UUIDOption();
  uuid.setString(new Empty());
  options.setUuidOption(uuid);
  options.setNoFilter(new Empty());
  fill(options);
  const read = new ReadReq();
  read.setOptions(options);
  return read;
}

function streamOptions(stream: string, from: number | 'start' | 'end') {
  const options = new Options.StreamOptions();
  options.setStreamIdentifier(streamIdentifier(stream));
  if (from === 'start') options.setStart(new Empty());
  else if (from === 'end') options.setEnd(new Empty());
  else options.setRevision(String(from));
  return options;
}

/** `from` is inclusive; `limit` must be 1 or more, since the server has no answer to 0. */
export const readForwards = (stream: string, from: number, limit: number): ReadRequest =>
  request((options) => {
    options.setStream(streamOptions(stream, from));
    options.setReadDirection(FORWARDS);
    options.setCount(String(limit));
  });

export const readBackwards = (stream: string, from: number | 'end', limit: number): ReadRequest =>
  request((options) => {
    options.setStream(streamOptions(stream, from));
    options.setReadDirection(BACKWARDS);
    options.setCount(String(limit));
  });

/** History from `from` on (inclusive: the server's own start is exclusive), then live events. */
export const subscribeFrom = (stream: string, from: number): ReadRequest =>
  request((options) => {
    options.setStream(streamOptions(stream, from === 0 ? 'start' : from - 1));
    options.setSubscription(new Options.SubscriptionOptions());
  });

/** Every event of the streams whose names begin with `prefix`, in the order of the log. */
export const readAllOf = (prefix: string): ReadRequest =>
  request((options) => {
    const all = new Options.AllOptions();
    all.setStart(new Empty());
    options.setAll(all);
    options.setReadDirection(FORWARDS);
    options.setCount(String(Number.MAX_SAFE_INTEGER));
    const prefixes = new Options.FilterOptions.Expression();
    prefixes.addPrefix(prefix);
    const filter = new Options.FilterOptions();
    filter.setStreamIdentifier(prefixes);
    filter.setMax(1_000);
    filter.setCheckpointintervalmultiplier(1);
    options.setFilter(filter);
  });
