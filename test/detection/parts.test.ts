import { expect, test } from 'vitest';
import { parsePressure } from '../../src/detection/pressure.ts';
import { RateMeter } from '../../src/detection/rate.ts';
import { countGpus, refineFacts, sumLinkSpeeds } from '../../src/detection/refine.ts';
import { tree } from './fixture.ts';

test.each([
  ['some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n', 0],
  ['some avg10=61.25 avg60=0.00 avg300=0.00 total=9\nfull avg10=1.00 avg60=0 avg300=0 total=1\n', 0.6125],
  ['full avg10=99.00 avg60=0.00 avg300=0.00 total=0\n', undefined],
  ['some avg10=much avg60', undefined],
  ['', undefined],
])('pressure of %j is %s', (text, expected) => {
  expect(parsePressure(text)).toBe(expected);
});

test('a rate needs a full window, then holds until the next one is full', () => {
  const meter = new RateMeter(1000, 0, 100);
  expect(meter.update(1010, 50)).toBeUndefined();
  expect(meter.update(1200, 100)).toBe(2);
  expect(meter.update(9000, 150)).toBe(2);
  expect(meter.update(1300, 200)).toBe(1);
});

test('a counter that was reset starts anew and keeps the last rate', () => {
  const meter = new RateMeter(1000, 0, 100);
  meter.update(1200, 100);
  expect(meter.update(5, 200)).toBe(2);
  expect(meter.update(305, 300)).toBe(3);
});

test('a gpu is one that the NVIDIA driver describes; a display adapter is none', () => {
  const controllers = [
    { vendor: 'NVIDIA Corporation', memoryTotal: 24_576 },
    { vendor: 'NVIDIA Corporation' },
    { vendor: 'Red Hat, Inc.', memoryTotal: 16 },
    { vendor: 'Intel Corporation' },
  ];
  expect(countGpus(controllers)).toBe(1);
});

test('only links that are up, real and of known speed add to the network', () => {
  const link = { internal: false, virtual: false, operstate: 'up', speed: 1000 };
  expect(
    sumLinkSpeeds([link, { ...link, virtual: true }, { ...link, operstate: 'down' }, { ...link, speed: null }]),
  ).toBe(1e9);
  expect(
    sumLinkSpeeds([
      { ...link, internal: true },
      { ...link, speed: -1 },
    ]),
  ).toBe(0);
});

test('systeminformation is asked for gpus where the driver shows itself, and answers a whole number', async () => {
  const facts = await refineFacts(tree({ 'proc/driver/nvidia/version': 'x' }));
  expect(facts.gpus).toBeGreaterThanOrEqual(0);
  expect(Number.isInteger(facts.gpus)).toBe(true);
});
