import type { Call } from '../grpc/call.ts';
import { encodeReadAnswer, type UuidForm } from '../proto/encode-read.ts';
import { streams } from '../proto/generated.ts';
import type { ReadAnswer } from '../read/answers.ts';
import { neverAnswers, readAll } from '../read/read-all.ts';
import { readStream } from '../read/read-stream.ts';
import { subscribeToAll } from '../read/subscribe-all.ts';
import { subscribeToStream } from '../read/subscribe-stream.ts';
import { type ParsedRead, parseRead } from './read-request.ts';
import { assertServes, type ServerContext } from './server-context.ts';

/** Streams.Read: reads and subscriptions, of a stream and of $all. */
export const read =
  (context: ServerContext) =>
  (call: Call): void => {
    call.onMessage((bytes) => {
      const { request, uuidForm } = parseRead(streams.ReadReq.deserializeBinary(bytes).getOptions());
      assertServes(context, call);
      if (request.kind === 'nothing') call.end();
      else if (request.kind === 'all' && neverAnswers(request.read)) return;
      else call.run(() => send(call, answersTo(context, request, call.signal), uuidForm));
    });
  };

type Answers = Iterable<ReadAnswer> | AsyncIterable<ReadAnswer>;

function answersTo(
  { store }: ServerContext,
  request: Exclude<ParsedRead, { kind: 'nothing' }>,
  signal: AbortSignal,
): Answers {
  switch (request.kind) {
    case 'stream':
      return readStream(store, request.read);
    case 'all':
      return readAll(store, request.read);
    case 'streamSubscription':
      return subscribeToStream(store, request.subscription, signal);
    case 'allSubscription':
      return subscribeToAll(store, request.subscription, signal);
  }
}

/** Sends as fast as the client takes it; ends with the answers, or with what they throw. */
async function send(call: Call, answers: Answers, uuidForm: UuidForm): Promise<void> {
  if (Symbol.iterator in answers) {
    for (const answer of answers) {
      if (!call.write(encodeReadAnswer(answer, uuidForm))) await call.drained();
      if (call.signal.aborted) return;
    }
  } else {
    for await (const answer of answers) {
      if (!call.write(encodeReadAnswer(answer, uuidForm))) await call.drained();
    }
  }
  call.end();
}
