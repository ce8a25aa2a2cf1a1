import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { breakerMachine } from '../../src/machines/breaker.machine.ts';
import { machinesPage, mermaid } from '../../src/machines/diagram.ts';
import { tierMachine } from '../../src/machines/tier.machine.ts';
import { BREAKER_INITIAL, TIER_INITIAL } from '../../src/machines/transitions.ts';

const PAGE = new URL('../../docs/machines.md', import.meta.url);

test('docs/machines.md shows the machines as they are (npm run docs writes it)', () => {
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PAGE, machinesPage());
  expect(readFileSync(PAGE, 'utf8')).toBe(machinesPage());
});

test('the diagrams begin where the table does', () => {
  const begins = (diagram: string) => [...diagram.matchAll(/\[\*\] --> (\w+)/g)].map((match) => match[1]);
  expect(begins(mermaid(tierMachine))).toEqual([TIER_INITIAL.admission, TIER_INITIAL.load]);
  expect(begins(mermaid(breakerMachine))).toEqual([BREAKER_INITIAL]);
});

test('triggers of one edge share a line', () => {
  expect(mermaid(tierMachine)).toContain('draining --> drained : emptied, drain.deadline\n');
});
