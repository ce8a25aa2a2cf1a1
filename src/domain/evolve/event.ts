import type { EventType, RecordedPoolEvent } from '../../model/events.ts';

/** The recorded event of one type. */
export type EventOf<T extends EventType> = Extract<RecordedPoolEvent, { type: T }>;
