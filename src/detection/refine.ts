import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What takes processes or seconds to find out, learnt once and in the background. */
export interface RefinedFacts {
  /** Whole gpus that can be computed on; 0 = none. */
  readonly gpus: number;
  /** Sum of the links' speeds, or 0 if unknown. */
  readonly networkBitsPerSecond: number;
}

/** Where the NVIDIA driver shows itself; without it `nvidia-smi` has nothing to say and is not asked. */
const GPU_SIGNS = ['proc/driver/nvidia', 'dev/nvidiactl', 'dev/nvidia0', 'dev/dxg'];

const mayHaveGpu = (root: string): boolean =>
  process.platform !== 'linux' || GPU_SIGNS.some((path) => existsSync(join(root, path)));

interface Controller {
  readonly vendor: string;
  readonly memoryTotal?: number;
}

/** A gpu is one that the driver's own tool describes: a controller without its memory is a display adapter. */
export const countGpus = (controllers: readonly Controller[]): number =>
  controllers.filter((each) => /nvidia/i.test(each.vendor) && (each.memoryTotal ?? 0) > 0).length;

interface Link {
  readonly internal: boolean;
  readonly virtual: boolean;
  readonly operstate: string;
  /** Mbit/s. */
  readonly speed: number | null;
}

export const sumLinkSpeeds = (links: readonly Link[]): number =>
  links
    .filter((link) => !link.internal && !link.virtual && link.operstate === 'up' && (link.speed ?? 0) > 0)
    .reduce((sum, link) => sum + link.speed! * 1_000_000, 0);

/** Asks systeminformation, once; loaded only here, because it takes 25 ms to load and starts processes. */
export async function refineFacts(root: string): Promise<RefinedFacts> {
  const askGpu = mayHaveGpu(root);
  const askNetwork = process.platform !== 'linux';
  if (!askGpu && !askNetwork) return { gpus: 0, networkBitsPerSecond: 0 };
  const { graphics, networkInterfaces } = await import('systeminformation');
  const gpus = askGpu ? countGpus((await inTime('graphics', graphics())).controllers) : 0;
  const links = askNetwork ? [await inTime('networkInterfaces', networkInterfaces())].flat() : [];
  return { gpus, networkBitsPerSecond: sumLinkSpeeds(links) };
}

/** A driver's tool may hang for ever. */
const PATIENCE_MS = 30_000;

/** Rejects if there is no answer within `patienceMs`. The timer keeps no process alive. */
export function inTime<T>(name: string, answer: Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`systeminformation's ${name} gave no answer in ${patienceMs} ms`));
    const timer = setTimeout(late, patienceMs).unref();
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
