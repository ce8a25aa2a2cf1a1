import { type RecordedEvent, SCHEMA_VERSIONS } from '../model/events.ts';

/** From the data of one version of an event to that of the next. Pure; may be given frozen data. */
export type Upcaster = (data: unknown) => unknown;

/** For each type its upcasters in order: the first lifts version 1 to 2, the second 2 to 3, and so on. */
export type Upcasters = Readonly<Record<string, readonly Upcaster[]>>;

/** One for each step of SCHEMA_VERSIONS. Every released version stays here for ever: old logs must replay. */
const UPCASTERS: Upcasters = {};

/** An event whose type, or version of it, this program does not know: written by a newer one, or damaged. */
export class UnknownEventError extends Error {
  readonly stream: string;
  readonly revision: number;
  readonly type: string;
  readonly schemaVersion: number;

  constructor(event: RecordedEvent, known: number | undefined) {
    const what =
      known === undefined
        ? `type ${event.type} is unknown here`
        : `${event.type} has schemaVersion ${event.schemaVersion}; known are 1 to ${known}`;
    super(`${event.stream}, revision ${event.revision}: ${what}; a newer program may have written it`);
    this.name = 'UnknownEventError';
    this.stream = event.stream;
    this.revision = event.revision;
    this.type = event.type;
    this.schemaVersion = event.schemaVersion;
  }
}

export type Lift = (event: RecordedEvent) => RecordedEvent;

/** Lifts an event to today's version. Throws UnknownEventError, naming the place, for what it does not know. */
export function createLift(versions: Readonly<Record<string, number>>, upcasters: Upcasters): Lift {
  const known = new Map(Object.entries(versions));
  for (const [type, today] of known) {
    const steps = upcasters[type]?.length ?? 0;
    if (steps !== today - 1)
      throw new RangeError(`${type}: version ${today} needs ${today - 1} upcasters, not ${steps}`);
  }
  return (event) => {
    const today = known.get(event.type);
    if (event.schemaVersion === today) return event;
    if (today === undefined || event.schemaVersion > today || !(event.schemaVersion >= 1)) {
      throw new UnknownEventError(event, today);
    }
    const steps = (upcasters[event.type] ?? []).slice(event.schemaVersion - 1);
    return { ...event, schemaVersion: today, data: steps.reduce((data, step) => step(data), event.data) };
  };
}

export const lift: Lift = createLift(SCHEMA_VERSIONS, UPCASTERS);
