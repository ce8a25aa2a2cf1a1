import { readFileSync } from 'node:fs';
import type { AllocationRequest } from '../../src/model/request.ts';

/** A committed trace: 10 000 draws of 200 shapes by Zipf 1.0, made by `zipf(200, 10_000, 20261124)`. */
export const ZIPF_TRACE: readonly number[] = JSON.parse(
  readFileSync(new URL('../fixtures/zipf-200-shapes.json', import.meta.url), 'utf8'),
);

/** mulberry32: small, seeded, good enough to draw from. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `length` draws from `shapes` ranks, the n-th with a weight of 1/n (Zipf's law, exponent 1). */
export function zipf(shapes: number, length: number, seed: number): number[] {
  const random = seeded(seed);
  const cumulated: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= shapes; rank++) {
    sum += 1 / rank;
    cumulated.push(sum);
  }
  return Array.from({ length }, () => {
    const draw = random() * sum;
    return cumulated.findIndex((upTo) => draw < upTo);
  });
}

/** Draws from ten times as many shapes as the cache holds, all equally likely. */
export function uniform(cacheSize: number): number[] {
  const random = seeded(7);
  return Array.from({ length: 10_000 }, () => Math.floor(random() * cacheSize * 10));
}

export const allUnique = (): number[] => Array.from({ length: 5_000 }, (_, i) => i);

export const shapesOf = (trace: readonly number[]): AllocationRequest[] =>
  trace.map((shape) => ({ requirements: { memory: 1 + shape, cpu: 1 + (shape % 7) } }));
