export interface Snippet {
  readonly language: string;
  /** Of its first line in the document, from 1. */
  readonly line: number;
  readonly text: string;
}

/** The fenced code blocks of a Markdown document. */
export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  let open: { language: string; line: number; lines: string[] } | undefined;
  for (const [i, line] of markdown.split('\n').entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === undefined) open = { language: fence[1]!, line: i + 2, lines: [] };
    else {
      snippets.push({ language: open.language, line: open.line, text: `${open.lines.join('\n')}\n` });
      open = undefined;
    }
  }
  return snippets;
}

export interface Command {
  readonly text: string;
  /** "exit N" in its comment. */
  readonly exitCode: number;
}

/** The commands of a shell block, one a line. */
export const commandsOf = (text: string): Command[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({
      text: line.replace(/\s+# .*$/, ''),
      exitCode: Number(/# .*exit (\d+)/.exec(line)?.[1] ?? 0),
    }));
