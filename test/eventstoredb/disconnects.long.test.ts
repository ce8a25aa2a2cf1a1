import { afterAll, beforeAll, expect, it } from 'vitest';
import { openEventStore } from '../../src/eventstore/open.ts';
import { NO_STREAM } from '../../src/model/event-store.ts';
import { events, freshStream } from '../eventstore/fixture.ts';
import { type Rig, settle, startRig } from './adapter/adapter.ts';

const DISCONNECTS = Number(process.env['DISCONNECTS'] ?? 2_000);
const SUBSCRIBERS = 8;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const lost = () => rig.warnings.filter((text) => text.startsWith('a subscription was lost')).length;
const pauseMs = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

it(`subscriptions miss and double nothing over ${DISCONNECTS} disconnects, with readers of any speed`, async () => {
  const stream = freshStream();
  const writer = await openEventStore(rig.server.url);
  const stop = new AbortController();
  const places = Array.from({ length: SUBSCRIBERS }, () => 0);
  const follow = async (reader: number) => {
    const store = await rig.open();
    for await (const item of store.subscribe(stream, { signal: stop.signal })) {
      if ('caughtUp' in item) continue;
      for (const { revision } of item.events) {
        if (revision !== places[reader]) throw new Error(`reader ${reader}: ${revision} instead of ${places[reader]}`);
        places[reader] += 1;
      }
      if (reader % 2 === 1) await pauseMs(reader);
    }
  };
  expect(await settle(writer, stream, events(1), NO_STREAM)).toMatchObject({ outcome: 'appended' });
  const following = Array.from({ length: SUBSCRIBERS }, (_, reader) => follow(reader));
  const failed = Promise.race(following);
  let next = 1;
  while (places.includes(0)) await Promise.race([pauseMs(5), failed]); // the first try of each must succeed
  while (lost() < DISCONNECTS) {
    for (let n = 0; n < 5; n++, next += 3) await writer.append(stream, events(3, next), next - 1);
    rig.proxy.cut();
    await Promise.race([pauseMs(20), failed]);
  }
  while (places.some((place) => place < next)) await Promise.race([pauseMs(20), failed]);
  stop.abort();
  await Promise.all(following);
  console.log(`disconnects: ${lost()} subscriptions lost and begun again, ${next} events to ${SUBSCRIBERS} readers`);
  expect(places).toEqual(places.map(() => next));
  await writer.close();
});
