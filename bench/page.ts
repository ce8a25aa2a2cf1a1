import { cpus, release, totalmem } from 'node:os';
import { barText, type Figure, shown, verdict } from './measure.ts';

/** What one part said. */
export interface PartResult {
  readonly name: string;
  readonly figures: Figure[];
  readonly notes: string[];
  readonly failed: boolean;
}

/** The machine that the figures are of, in one line. */
export function machineLine(): string {
  const cores = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  return `${cores[0]?.model.trim()}, ${cores.length} cores, ${gib} GiB, Linux ${release()}, Node ${process.version}`;
}

export function renderPage(results: readonly PartResult[], commit: string, skipped: readonly string[]): string {
  const judged = results.flatMap(({ figures }) => figures).filter(({ bar }) => bar !== undefined);
  const met = judged.filter((figure) => verdict(figure) === 'met').length;
  const head = [
    '# Figures',
    '',
    'Written by `npm run bench`; `npm run bench -- --only PART` repeats one part. Ratios (unit x) are of figures taken in one run.',
    '',
    `- machine: ${machineLine()}`,
    `- commit: ${commit}`,
    `- date: ${new Date().toISOString().slice(0, 10)}`,
    `- bars: ${met} of ${judged.length} met`,
    `- not run: ${skipped.length === 0 ? 'nothing' : skipped.join(', ')}`,
  ];
  return `${[...head, ...results.flatMap(renderPart)].join('\n')}\n`;
}

function renderPart({ name, figures, notes, failed }: PartResult): string[] {
  const lines = ['', `## ${name}`, ''];
  if (failed) lines.push('**This part ended with an error; what it had said by then:**', '');
  if (figures.length > 0) lines.push('| figure | median | p99 | unit | bar | |', '|---|--:|--:|---|---|---|');
  for (const figure of figures) lines.push(renderRow(figure));
  return notes.length > 0 ? [...lines, '', ...notes.map((text) => `- ${text}`)] : lines;
}

function renderRow(figure: Figure): string {
  const { what, p50, p99, unit } = figure;
  const cells = [what, shown(p50), p99 === undefined ? '' : shown(p99), unit, barText(figure), verdict(figure)];
  return `| ${cells.join(' | ')} |`;
}
