import type { LogRecord } from '../log/record.ts';
import type { ReadAnswer, ResolvedEvent } from '../read/answers.ts';
import { shared, streams } from './generated.ts';
import { toUint64, toUint64Text } from './numbers.ts';
import { uuidHalves } from './uuid.ts';
import { WireWriter } from './wire.ts';

export type UuidForm = 'string' | 'structured';

/** A ReadResp as bytes. */
export function encodeReadAnswer(answer: ReadAnswer, uuidForm: UuidForm): Uint8Array {
  if (answer.kind === 'event') return encodeEvent(answer.resolved, uuidForm);
  return otherAnswer(answer).serializeBinary();
}

function otherAnswer(answer: Exclude<ReadAnswer, { kind: 'event' }>): InstanceType<typeof streams.ReadResp> {
  const response = new streams.ReadResp();
  switch (answer.kind) {
    case 'confirmation':
      return response.setConfirmation(
        new streams.ReadResp.SubscriptionConfirmation().setSubscriptionId(answer.subscriptionId),
      );
    case 'checkpoint':
      return response.setCheckpoint(
        new streams.ReadResp.Checkpoint()
          .setCommitPosition(toUint64Text(answer.position.commit))
          .setPreparePosition(toUint64Text(answer.position.prepare)),
      );
    case 'caughtUp':
      return response.setCaughtUp(new streams.ReadResp.CaughtUp());
    case 'streamNotFound':
      return response.setStreamNotFound(
        new streams.ReadResp.StreamNotFound().setStreamIdentifier(streamIdentifier(answer.stream)),
      );
    case 'firstStreamPosition':
      return response.setFirstStreamPosition(toUint64Text(answer.revision));
    case 'lastStreamPosition':
      return response.setLastStreamPosition(toUint64Text(answer.revision));
  }
}

export const streamIdentifier = (name: string): InstanceType<typeof shared.StreamIdentifier> =>
  new shared.StreamIdentifier().setStreamName(Buffer.from(name));

/** ReadResp.event (1): ReadEvent with event (1), link (2) and commit_position (3), that of what is in the stream. */
function encodeEvent({ event, link }: ResolvedEvent, uuidForm: UuidForm): Uint8Array {
  const original = link ?? event!;
  return new WireWriter()
    .message(1, (readEvent) => {
      if (event !== undefined) readEvent.message(1, (writer) => writeRecord(writer, event, uuidForm));
      if (link !== undefined) readEvent.message(2, (writer) => writeRecord(writer, link, uuidForm));
      readEvent.uint64(3, original.position);
    })
    .finish();
}

/** RecordedEvent: id 1, stream_identifier 2, stream_revision 3, prepare 4, commit 5, metadata 6, custom 7, data 8. */
function writeRecord(writer: WireWriter, record: LogRecord, uuidForm: UuidForm): void {
  writer
    .message(1, () => writeUuid(writer, record.id, uuidForm))
    .message(2, () => writer.text(3, record.stream))
    .uint64(3, toUint64(record.revision))
    .uint64(4, record.position)
    .uint64(5, record.position);
  writeProperty(writer, 'type', record.type);
  writeProperty(writer, 'created', ticksSinceEpoch(record.createdMs));
  writeProperty(writer, 'content-type', record.isJson ? 'application/json' : 'application/octet-stream');
  writer.bytes(7, record.metadata).bytes(8, record.data);
}

function writeUuid(writer: WireWriter, id: string, form: UuidForm): void {
  if (form === 'string') {
    writer.text(2, id);
    return;
  }
  const { mostSignificant, leastSignificant } = uuidHalves(id);
  writer.message(1, () => writer.uint64(1, BigInt(mostSignificant)).uint64(2, BigInt(leastSignificant)));
}

const writeProperty = (writer: WireWriter, key: string, value: string): WireWriter =>
  writer.message(6, () => writer.text(1, key).text(2, value));

/** .NET's 100 ns ticks since 1970-01-01 UTC: 17 digits. */
export const ticksSinceEpoch = (ms: number): string => `${Math.floor(ms)}0000`;
