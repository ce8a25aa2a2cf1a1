import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Case, type RawCall, runner, type Step } from '../dialogue.ts';

/** How long nothing more must have come until a live call counts as quiet, in ms. */
const QUIET_MS = 80;
/** The same for a call that was just sent something, which may be answered or not. */
const UNANSWERED_MS = 400;

const CHOSEN = /\$(STREAM|TAG|ID)(\d+)(\.msb|\.lsb)?/g;
const POSITION_KEYS = new Set(['commitPosition', 'preparePosition']);
/** Positions that mean the same on every server. */
const FIXED_POSITIONS = new Set(['0', '18446744073709551615']);

/**
 * A request may name a position that was answered before: `{at: 3}` is the fourth smallest of all seen so far, modulo
 * their number; `{at: 3, plus: 1}` is one more.
 */
interface Reference {
  readonly at: number;
  readonly plus?: number;
}

interface Answer {
  readonly event?: { readonly link?: RecordedEvent; readonly event?: RecordedEvent };
}
interface RecordedEvent {
  readonly streamIdentifier: { readonly streamName: string };
}

/**
 * Plays the calls of a dialogue (steps without answers) on a server and gives them back with its answers: a case as
 * recorded/README.md describes them, with placeholders for what differs from server to server.
 */
export async function record(target: string, name: string, about: string, dialogue: readonly Step[]): Promise<Case> {
  const client = (await runner()).connect(target);
  const recording = new Recording(client);
  try {
    for (const step of dialogue) await recording.play(step);
    return { name, about, steps: recording.steps() };
  } finally {
    recording.cancelAll();
    client.close();
  }
}

class Recording {
  readonly #client: { close(): void };
  readonly #calls = new Map<unknown, RawCall>();
  readonly #chosen = new Map<string, string>();
  readonly #positions = new Set<string>();
  readonly #raw: Step[] = [];

  constructor(client: { close(): void }) {
    this.#client = client;
  }

  cancelAll(): void {
    for (const call of this.#calls.values()) if (call.end === undefined) call.cancel();
  }

  async play(step: Step): Promise<void> {
    if (step['pauseMs'] !== undefined) {
      await sleep(step['pauseMs'] as number);
      this.#raw.push(step);
      return;
    }
    const sent = this.#resolved(step) as Step;
    const call = await this.#callOf(sent);
    for (const request of [sent['request'] ?? sent['send'] ?? []].flat()) call.send(this.#filled(request));
    if (sent['halfClose'] || (sent['call'] && !(sent['open'] && call.streamsRequests))) call.halfClose();
    if (sent['cancel']) call.cancel();
    const isLive = sent['open'] !== undefined || sent['on'] !== undefined;
    const answers = isLive ? await untilQuiet(call, sent) : await call.takeAll();
    this.#notePositions(answers);
    const end = call.end === undefined ? {} : { end: call.end };
    this.#raw.push({ ...sent, answers, ...end });
    if (!isLive && call.end === undefined) throw new Error(`no end: ${JSON.stringify(sent)}`);
  }

  /** The steps with placeholders in place of everything that was chosen, here or by the server. */
  steps(): readonly Step[] {
    const placeholders = new Placeholders(this.#chosen, this.#positions, textsIn(this.#raw.map(requestsOf)));
    return this.#raw.map((step) => placeholders.put(step) as Step);
  }

  async #callOf(step: Step): Promise<RawCall> {
    if (!step['call']) return this.#calls.get(step['on'])!;
    const { Call } = await runner();
    const call = new Call(this.#client, step['call'] as string, {
      headers: this.#filled(step['headers'] ?? {}),
      ...(step['deadlineMs'] === undefined ? {} : { deadlineMs: step['deadlineMs'] }),
      keeps: (message: Answer) => !step['ownStreamsOnly'] || this.#isOwn(message),
    });
    this.#calls.set(step['open'] ?? Symbol(), call);
    return call;
  }

  #isOwn({ event }: Answer): boolean {
    const record = event?.link ?? event?.event;
    const streams = [...this.#chosen].filter(([name]) => name.startsWith('$STREAM'));
    return record === undefined || streams.some(([, text]) => record.streamIdentifier.streamName.includes(text));
  }

  /** References as the positions they stand for. */
  #resolved(json: unknown): unknown {
    if (json === null || typeof json !== 'object') return json;
    if (Array.isArray(json)) return json.map((item) => this.#resolved(item));
    if ('at' in json) return this.#positionOf(json as Reference);
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, this.#resolved(value)]));
  }

  #positionOf({ at, plus = 0 }: Reference): string {
    const sorted = [...this.#positions].map(BigInt).sort((a, b) => Number(a - b));
    return sorted.length === 0 ? '0' : String(sorted[at % sorted.length]! + BigInt(plus));
  }

  #filled(json: unknown): unknown {
    if (typeof json === 'string')
      return json.replaceAll(CHOSEN, (_, kind, number, half) => this.#choose(kind, number, half));
    if (json === null || typeof json !== 'object') return json;
    if (Array.isArray(json)) return json.map((item) => this.#filled(item));
    return Object.fromEntries(Object.entries(json).map(([key, value]) => [this.#filled(key), this.#filled(value)]));
  }

  #choose(kind: string, number: string, half: string | undefined): string {
    const name = `$${kind}${number}`;
    const fresh = kind === 'ID' ? randomUUID() : `${kind.toLowerCase()}-${randomUUID()}`;
    const value = this.#chosen.get(name) ?? fresh;
    this.#chosen.set(name, value);
    return half === undefined ? value : uuidHalf(value, half);
  }

  #notePositions(json: unknown): void {
    if (json === null || typeof json !== 'object') return;
    for (const [key, value] of Object.entries(json)) {
      if (POSITION_KEYS.has(key) && !FIXED_POSITIONS.has(value as string)) this.#positions.add(value as string);
      else this.#notePositions(value);
    }
  }
}

/** What came until nothing more came for a while, or the call ended. */
async function untilQuiet(call: RawCall, step: Step): Promise<unknown[]> {
  const messages = await call.take(step['call'] ? 1 : 0);
  let quietMs = step['send'] ? UNANSWERED_MS : QUIET_MS;
  for (let isQuiet = false; !isQuiet && call.end === undefined; ) {
    await sleep(quietMs);
    isQuiet = call.messages.length === 0;
    messages.push(...call.messages.splice(0));
    quietMs = QUIET_MS;
  }
  return [...messages, ...call.messages.splice(0)];
}

function uuidHalf(uuid: string, half: string): string {
  const hex = uuid.replaceAll('-', '');
  return BigInt.asIntN(64, BigInt(`0x${half === '.msb' ? hex.slice(0, 16) : hex.slice(16)}`)).toString();
}

/** Puts placeholders for texts and positions that differ from server to server. */
class Placeholders {
  readonly #texts: (readonly [text: string, placeholder: string])[];
  readonly #positions: ReadonlyMap<string, string>;
  readonly #sent: ReadonlySet<string>;
  readonly #numbered = new Map<string, string>();

  /** `sent` are texts of the requests, which the server did not choose. */
  constructor(chosen: ReadonlyMap<string, string>, positions: ReadonlySet<string>, sent: ReadonlySet<string>) {
    this.#sent = sent;
    this.#texts = [...chosen].flatMap(([name, value]) => textsOf(name, value));
    const sorted = [...positions].map(BigInt).sort((a, b) => Number(a - b));
    this.#positions = new Map(sorted.map((position, index) => [String(position), `$POS${index + 1}`]));
  }

  put(json: unknown, key = '', owner = ''): unknown {
    if (typeof json === 'string') return this.#text(json, key, owner);
    if (json === null || typeof json !== 'object') return json;
    if (Array.isArray(json)) return json.map((item) => this.put(item));
    const identity = 'streamRevision' in json ? JSON.stringify([json['streamRevision'], nameIn(json)]) : owner;
    return Object.fromEntries(
      Object.entries(json).map(([name, value]) => [this.#replaced(name), this.put(value, name, identity)]),
    );
  }

  #text(text: string, key: string, owner: string): string {
    if (POSITION_KEYS.has(key)) return this.#positions.get(text) ?? text;
    if (key === 'subscriptionId') return this.#number('SUB', text);
    if (key === 'created') return this.#number('CREATED', owner);
    const replaced = this.#replaced(text);
    if ((key === 'string' && UUID.test(replaced)) || HALF.test(key)) return this.#unknownId(replaced);
    return replaced;
  }

  /** An id that the server chose. */
  #unknownId(text: string): string {
    return text.startsWith('$') || this.#sent.has(text) ? text : this.#number('VARIES', text);
  }

  #number(kind: string, value: string): string {
    const known = this.#numbered.get(kind + value);
    if (known !== undefined) return known;
    const count = [...this.#numbered.values()].filter((name) => name.startsWith(`$${kind}`)).length;
    this.#numbered.set(kind + value, `$${kind}${count + 1}`);
    return `$${kind}${count + 1}`;
  }

  #replaced(text: string): string {
    return this.#texts.reduce((before, [value, name]) => before.replaceAll(value, name), text);
  }
}

const requestsOf = (step: Step): unknown => [step['request'], step['send']];

function textsIn(json: unknown): Set<string> {
  if (json === null || typeof json !== 'object') return new Set(typeof json === 'string' ? [json] : []);
  return new Set(Object.values(json).flatMap((value) => [...textsIn(value)]));
}

const nameIn = (event: object): unknown => ('streamIdentifier' in event ? event.streamIdentifier : undefined);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HALF = /SignificantBits$/;

function textsOf(name: string, value: string): (readonly [string, string])[] {
  if (!name.startsWith('$ID')) return [[value, name]];
  const halves = ['.msb', '.lsb'].map((half) => [uuidHalf(value, half), name + half] as const);
  return [[value, name], ...halves];
}
