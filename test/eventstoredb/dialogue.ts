import { fileURLToPath, pathToFileURL } from 'node:url';

/** A case as recorded/README.md describes them. */
export interface Case {
  readonly name: string;
  readonly about: string;
  readonly steps: readonly Step[];
}

export type Step = Readonly<Record<string, unknown>>;

/** A call of the runner, at the level of the raw messages. */
export interface RawCall {
  readonly messages: unknown[];
  readonly end: unknown;
  readonly streamsRequests: boolean;
  send(json: unknown): void;
  halfClose(): void;
  cancel(): void;
  /** Waits for `count` messages, or the end, and takes up to that many. */
  take(count: number): Promise<unknown[]>;
  /** Waits for the end and takes everything before it. */
  takeAll(): Promise<unknown[]>;
}

interface Runner {
  readonly Call: new (client: unknown, name: string, options: object) => RawCall;
  connect(target: string): { close(): void };
  runCase(client: unknown, target: string, testCase: Case): Promise<{ problems: string[] }>;
}

const RUNNER = fileURLToPath(new URL('../support/eventstoredb/recorded/run.mjs', import.meta.url));

/** The recorded cases' own runner. */
export const runner = async (): Promise<Runner> =>
  (await import(/* @vite-ignore */ pathToFileURL(RUNNER).href)) as Runner;

/** Runs a case with the recorded cases' own runner; the differences it finds, as lines. */
export async function problemsOf(target: string, testCase: Case): Promise<readonly string[]> {
  const { connect, runCase } = await runner();
  const client = connect(target);
  try {
    return (await runCase(client, target, testCase)).problems;
  } finally {
    client.close();
  }
}

export type Expectation = 'any' | 'noStream' | 'streamExists' | number;

const expected = (expectation: Expectation, field: string): Step =>
  typeof expectation === 'number' ? { [field]: String(expectation) } : { [expectation]: {} };

const identifier = (stream: string): Step => ({ streamIdentifier: { streamName: stream } });

const proposed = (id: string, data: unknown = '{}', type = 'thing-happened'): Step => ({
  id: { string: id },
  metadata: { type, 'content-type': 'application/json' },
  data,
  customMetadata: '',
});

/** What an append is answered: a success at this revision, or the refusal written out. */
export type Answer = { readonly revision: number; readonly at: string } | { readonly answers: readonly Step[] };

/** Streams.Append of events with these ids. `at` names the placeholder of the position; "none" is no_position. */
export function append(stream: string, expectation: Expectation, ids: readonly string[], answer: Answer): Step {
  return appendEvents(
    stream,
    expectation,
    ids.map((id) => proposed(id)),
    answer,
  );
}

export function appendEvents(stream: string, expectation: Expectation, events: readonly Step[], answer: Answer): Step {
  return {
    call: 'Streams.Append',
    request: [
      { options: { ...identifier(stream), ...expected(expectation, 'revision') } },
      ...events.map((event) => ({ proposedMessage: event })),
    ],
    answers: 'answers' in answer ? answer.answers : [{ success: succeeded(answer.revision, answer.at) }],
    end: 'ok',
  };
}

export const succeeded = (revision: number, at: string): Step => ({
  currentRevision: String(revision),
  ...(at === 'none' ? { noPosition: {} } : { position: { commitPosition: at, preparePosition: at } }),
});

/** The same step, ended by an error without any answer. */
export const refusedWith = (step: Step, end: Step): Step => ({ ...step, answers: [], end });

export const setMetadata = (stream: string, json: string, at: string, revision = 0): Step =>
  appendEvents(`$$${stream}`, 'any', [proposed(`$ID${99 - revision}`, json, '$metadata')], { revision, at });

export const event = proposed;

export const streamDeleted = (stream: string): Step => ({
  code: 9,
  details: `Event stream '${stream}' is deleted.`,
  metadata: { exception: 'stream-deleted', 'stream-name': stream },
});

/** Delete or Tombstone, answered with a position. */
export const remove = (method: 'Delete' | 'Tombstone', stream: string, expectation: Expectation, at: string): Step => ({
  call: `Streams.${method}`,
  request: { options: { ...identifier(stream), ...expected(expectation, 'revision') } },
  answers: [{ position: { commitPosition: at, preparePosition: at } }],
  end: 'ok',
});

export const wrongDelete = (stream: string, expectedText: string, actual: string): Step => ({
  code: 9,
  details: `Delete failed due to WrongExpectedVersion. Stream: ${stream}, Expected version: ${expectedText}, Actual version: ${actual}`,
  metadata: {
    exception: 'wrong-expected-version',
    'expected-version': expectedText,
    'actual-version': actual,
    'stream-name': stream,
  },
});

export interface ReadShape {
  readonly from?: Step;
  readonly direction?: 'FORWARDS' | 'BACKWARDS';
  readonly count?: number;
  readonly resolveLinks?: boolean;
}

const readOptions = ({ direction = 'FORWARDS', resolveLinks = false }: ReadShape): Step => ({
  readDirection: direction,
  resolveLinks,
  noFilter: {},
  uuidOption: { string: {} },
  controlOption: { compatibility: 1 },
});

export function readStream(stream: string, shape: ReadShape, answers: readonly Step[]): Step {
  const start = shape.from ?? { start: {} };
  const options = { stream: { ...identifier(stream), ...start }, count: String(shape.count ?? 100) };
  return { call: 'Streams.Read', request: { options: { ...options, ...readOptions(shape) } }, answers, end: 'ok' };
}

export function readAll(shape: ReadShape, answers: readonly Step[]): Step {
  const options = { all: shape.from ?? { start: {} }, count: String(shape.count ?? 100) };
  return { call: 'Streams.Read', request: { options: { ...options, ...readOptions(shape) } }, answers, end: 'ok' };
}

/** A subscription that stays open under the name `open`. */
export const subscribe = (open: string, from: Step, answers: readonly Step[]): Step => ({
  call: 'Streams.Read',
  open,
  request: { options: { ...withFilter(from), subscription: {} } },
  answers,
});

/** `from` may bring a filter of its own. */
function withFilter(from: Step): Step {
  const { noFilter: _, ...options } = readOptions({});
  return 'filter' in from ? { ...from, ...options } : { ...from, ...readOptions({}) };
}

export const ofStream = (stream: string, from: Step): Step => ({ stream: { ...identifier(stream), ...from } });

/** An event as a read answers it. */
export function recorded(
  stream: string,
  revision: number,
  id: string,
  at: string,
  data = '{}',
  type = 'thing-happened',
): Step {
  return {
    event: {
      event: {
        id: { string: id },
        streamIdentifier: { streamName: stream },
        streamRevision: String(revision),
        preparePosition: at,
        commitPosition: at,
        metadata: {
          'content-type': 'application/json',
          created: `$VARIES${9_000 + Number(/\d+/.exec(at)?.[0] ?? 0)}`,
          type,
        },
        customMetadata: '',
        data,
      },
      commitPosition: at,
    },
  };
}

export const notFound = (stream: string): Step => ({ streamNotFound: identifier(stream) });
export const last = (revision: number): Step => ({ lastStreamPosition: String(revision) });
export const first = (revision: number): Step => ({ firstStreamPosition: String(revision) });
export const confirmed = (id: string): Step => ({ confirmation: { subscriptionId: id } });
export const CAUGHT_UP: Step = { caughtUp: {} };

/** A message of BatchAppend. Without `stream` it is a later chunk. */
export function batch(
  correlationId: string,
  events: readonly Step[],
  options: { stream?: string; expectation?: Expectation; isFinal?: boolean; deadline?: Step },
): Step {
  const { stream, expectation = 'any', isFinal = true, deadline } = options;
  const head =
    stream === undefined
      ? {}
      : {
          options: {
            ...identifier(stream),
            ...expected(expectation, 'streamPosition'),
            ...(deadline === undefined ? {} : { deadline }),
          },
        };
  return {
    correlationId: { string: correlationId },
    ...head,
    proposedMessages: events,
    ...(isFinal ? { isFinal } : {}),
  };
}

export const batchSucceeded = (correlationId: string, stream: string, revision: number, at: string): Step => ({
  correlationId: { string: correlationId },
  success: succeeded(revision, at),
  ...identifier(stream),
});

/** A refusal; `structured` for the answer to a batch that never became final. */
export function batchFailed(
  correlationId: string,
  stream: string,
  error: { code: string; name: string; details?: Step },
  form: 'string' | 'structured' = 'string',
): Step {
  const id =
    form === 'string'
      ? { string: correlationId }
      : { structured: { mostSignificantBits: `${correlationId}.msb`, leastSignificantBits: `${correlationId}.lsb` } };
  const details = { '@type': `type.googleapis.com/event_store.client.${error.name}`, ...error.details };
  return { correlationId: id, error: { code: error.code, message: error.name, details }, ...identifier(stream) };
}
