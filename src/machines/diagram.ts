import type { AnyStateMachine, StateNode } from 'xstate';
import { breakerMachine } from './breaker.machine.ts';
import { tierMachine } from './tier.machine.ts';

type Node = Pick<StateNode, 'key' | 'description' | 'states' | 'transitions' | 'invoke'>;

/** The page that shows the machines as they run: Mermaid diagrams, and what is true in each state. */
export const machinesPage = (): string =>
  [
    '# Machines',
    '',
    'Generated from `src/machines` by `npm run docs`; a test fails when it is stale.',
    '',
    'An edge is named by its trigger. A state that waits invokes the source named in it. A live actor begins in `resuming`,',
    'which the table and the diagrams leave out, and goes on to the folded mode at once.',
    '',
    ...section('Tier', 'Two parallel regions.', tierMachine),
    ...section('Breaker', 'One for each manager.', breakerMachine),
  ].join('\n');

const section = (title: string, lead: string, machine: AnyStateMachine): string[] => [
  `## ${title}`,
  '',
  lead,
  '',
  '```mermaid',
  mermaid(machine),
  '```',
  '',
  ...table(machine),
];

/** A machine as a Mermaid stateDiagram-v2; parallel regions stand side by side, divided as Mermaid divides them. */
export function mermaid(machine: AnyStateMachine): string {
  const parallel = machine.root.type === 'parallel';
  const regions = regionsOf(machine).map((region) => regionLines(region));
  const body = parallel
    ? [`state ${machine.id} {`, ...regions.flatMap((lines, at) => [...(at > 0 ? ['--'] : []), ...lines]), '}']
    : regions.flat();
  return ['stateDiagram-v2', ...body.map((line) => `  ${line}`)].join('\n');
}

const regionsOf = (machine: AnyStateMachine): Node[] =>
  machine.root.type === 'parallel' ? Object.values(machine.root.states) : [machine.root];

const modesOf = (region: Node): Node[] => Object.values(region.states).filter((state) => state.key !== 'resuming');

/** It begins where a new tier or breaker does: the first alternative that `resuming` tries. */
function regionLines(region: Node): string[] {
  const modes = modesOf(region);
  const labels = modes.map((mode) => `${mode.key} : ${[mode.key, ...invokedBy(mode)].join('\\n')}`);
  return [`[*] --> ${modes[0]?.key}`, ...labels, ...modes.flatMap(edgesOf)];
}

const invokedBy = (mode: Node): string[] => mode.invoke.map((source) => `invokes ${String(source.src)}`);

/** One line for each pair of states, with every trigger that leads from the one to the other. */
function edgesOf(mode: Node): string[] {
  const edges = [...mode.transitions].flatMap(([trigger, found]) =>
    found.flatMap((edge) => (edge.target ?? []).map((target) => ({ trigger, to: target.key }))),
  );
  return [...Map.groupBy(edges, (edge) => edge.to)].map(
    ([to, leading]) => `${mode.key} --> ${to} : ${leading.map((edge) => edge.trigger).join(', ')}`,
  );
}

const table = (machine: AnyStateMachine): string[] => [
  '| state | what is true in it |',
  '|---|---|',
  ...regionsOf(machine)
    .flatMap(modesOf)
    .map((mode) => `| ${mode.key} | ${mode.description} |`),
  '',
];
