import type { RecordedEvent } from '../../model/events.ts';

/** CloudEvents 1.0 in JSON. Names of extensions are lower-case letters and digits, as the specification demands. */
export interface CloudEvent {
  readonly specversion: '1.0';
  readonly id: string;
  /** `/streams/<stream>`; with `id` unique. */
  readonly source: string;
  /** `resource-pool-manager.` and the event's type. */
  readonly type: string;
  readonly time: string;
  readonly subject?: string;
  readonly datacontenttype: 'application/json';
  /** The revision, as the Sequence extension writes it. */
  readonly sequence: string;
  readonly schemaversion: number;
  readonly correlationid: string;
  readonly causationid: string;
  readonly actor: string;
  /** The idempotency key that the command came with, as JSON: extensions hold no objects. */
  readonly commandkey?: string;
  readonly data: unknown;
}

export const CLOUD_EVENT_TYPE_PREFIX = 'resource-pool-manager.';

export function toCloudEvent(event: RecordedEvent): CloudEvent {
  const { leaseId } = event.data as { leaseId?: string };
  return {
    specversion: '1.0',
    id: event.id,
    source: `/streams/${event.stream}`,
    type: CLOUD_EVENT_TYPE_PREFIX + event.type,
    time: new Date(event.at).toISOString(),
    ...(leaseId === undefined ? {} : { subject: leaseId }),
    datacontenttype: 'application/json',
    sequence: String(event.revision),
    schemaversion: event.schemaVersion,
    correlationid: event.metadata.correlationId,
    causationid: event.metadata.causationId,
    actor: event.metadata.actor,
    ...(event.metadata.key === undefined ? {} : { commandkey: JSON.stringify(event.metadata.key) }),
    data: event.data,
  };
}
