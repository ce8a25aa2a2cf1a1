import type { NewEvent } from '../model/events.ts';

const measured = new WeakMap<NewEvent, Buffer>();

/** How many bytes the event's data takes as JSON. Kept for `takeDataJson`, since writing JSON costs more than all else of an append. */
export function dataBytes(event: NewEvent): number {
  const json = Buffer.from(JSON.stringify(event.data));
  measured.set(event, json);
  return json.length;
}

/** The event's data as JSON: what was measured, or written now. */
export function takeDataJson(event: NewEvent): Buffer {
  const json = measured.get(event);
  if (json === undefined) return Buffer.from(JSON.stringify(event.data));
  measured.delete(event);
  return json;
}
