/** The lines of a file, or of stdin for `-`, each with its line break; only \n ends one (node:readline would end them at U+2028 too). Rejects if it cannot be opened. */
export async function linesOf(file: string): Promise<AsyncIterable<string>> {
  if (file === '-') return split(process.stdin);
  const { open } = await import('node:fs/promises');
  return split((await open(file)).createReadStream());
}

async function* split(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) yield `${line}\n`;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
