/** One thing that a process did to the files of a folder; paths are relative to it. */
export type Op =
  | { readonly op: 'open'; readonly path: string; readonly create: boolean; readonly truncate: boolean }
  | { readonly op: 'write'; readonly path: string; readonly data: Buffer; readonly offset: number | null }
  | { readonly op: 'truncate'; readonly path: string; readonly length: number }
  | { readonly op: 'sync' | 'failed sync'; readonly path: string }
  | { readonly op: 'unlink'; readonly path: string }
  | { readonly op: 'rename'; readonly path: string; readonly to: string };

/** The calls to be traced; whatever else changes a file must not be made. */
export const TRACED = 'openat,write,pwrite64,writev,pwritev,fsync,fdatasync,ftruncate,unlink,rename,fallocate';

/** What a trace (strace -f -y -xx) says was done in `folder`, in the order in which it was done. A call counts when it returns. */
export function readTrace(text: string, folder: string): Op[] {
  const ops: Op[] = [];
  const unfinished = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, thread = '', said = ''] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    if (said.endsWith('<unfinished ...>')) {
      unfinished.set(thread, said.slice(0, -'<unfinished ...>'.length));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/s.exec(said);
    const whole = resumed === null ? said : (unfinished.get(thread) ?? '') + resumed[1];
    const op = readCall(whole, folder);
    if (op !== undefined) ops.push(op);
  }
  return ops;
}

function readCall(line: string, folder: string): Op | undefined {
  const call = /^(\w+)\((.*)\) += (-?\d+)/s.exec(line);
  if (call === null || (call[3]!.startsWith('-') && !call[1]!.endsWith('sync'))) return undefined;
  const [, name, spaced, returned] = call as unknown as [string, string, string, string];
  const args = spaced.trimEnd(); // an interrupted line leaves a blank
  const within = (path: string | undefined) =>
    path?.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path === folder ? '.' : undefined;
  const ofFd = within(/^\d+<([^>]*)>/.exec(unhex(args.slice(0, 4_096)))?.[1]);
  const texts = args
    .split('"')
    .filter((_, i) => i % 2 === 1)
    .map(bytesOf); // all in hex: no quote stands for itself
  const named = within(texts[0]?.toString());
  switch (name) {
    case 'openat':
      if (named === undefined) return undefined;
      return { op: 'open', path: named, create: args.includes('O_CREAT'), truncate: args.includes('O_TRUNC') };
    case 'write':
    case 'pwrite64': {
      if (ofFd === undefined) return undefined;
      const offset = name === 'write' ? null : Number(/, (\d+)$/.exec(args)![1]);
      return { op: 'write', path: ofFd, data: texts.at(-1)!.subarray(0, Number(returned)), offset };
    }
    case 'ftruncate':
      return ofFd === undefined ? undefined : { op: 'truncate', path: ofFd, length: Number(/, (\d+)$/.exec(args)![1]) };
    case 'fsync':
    case 'fdatasync':
      return ofFd === undefined ? undefined : { op: returned === '0' ? 'sync' : 'failed sync', path: ofFd };
    case 'unlink':
      return named === undefined ? undefined : { op: 'unlink', path: named };
    case 'rename':
      return named === undefined ? undefined : { op: 'rename', path: named, to: within(texts[1]!.toString())! };
    default:
      if (ofFd !== undefined) throw new Error(`${name} on ${ofFd} is not understood`);
      return undefined;
  }
}

const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll('\\x', ''), 'hex');
/** Paths in <> are written in hex too. */
const unhex = (text: string): string =>
  text.replaceAll(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
