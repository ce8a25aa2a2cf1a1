import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { ResourcePoolClient } from '../../client/index.ts';
import type { AllocationRequest } from '../../model/request.ts';
import { EXIT, messageOf } from '../exit.ts';
import { talk } from '../output.ts';

/** A command that does not heed SIGTERM is killed so long before its lease ends, or after half of what is left if that is less. */
const KILL_MARGIN_MS = 500;
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a command under a lease that is renewed until the command ends, then released, and gives the command's exit code
 * (128 + n for a signal, as shells do). When the lease is noticed or cannot be renewed the command gets SIGTERM, and
 * SIGKILL before the lease expires; then the code is 125.
 */
export async function runUnderLease(
  client: ResourcePoolClient,
  request: AllocationRequest,
  words: readonly string[],
): Promise<number> {
  const lease = await client.allocate(request);
  const child = spawn(words[0]!, words.slice(1), {
    stdio: 'inherit',
    env: { ...process.env, RPM_LEASE_ID: lease.id, RPM_LEASE_TOKEN: String(lease.token) },
  });
  let lost = false;
  let killer: NodeJS.Timeout | undefined;
  const onLost = () => {
    lost = true;
    talk(`poolctl: lease ${lease.id} ends (${messageOf(lease.signal.reason)}): stopping ${words[0]}`);
    child.kill('SIGTERM');
    const leftMs = lease.remainingMs();
    killer = setTimeout(() => child.kill('SIGKILL'), Math.max(leftMs / 2, leftMs - KILL_MARGIN_MS));
  };
  lease.signal.addEventListener('abort', onLost, { once: true });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of FORWARDED) process.on(signal, forward);
  const code = await exitCodeOf(child, words[0]!);
  clearTimeout(killer);
  lease.signal.removeEventListener('abort', onLost);
  for (const signal of FORWARDED) process.off(signal, forward);
  await lease.release().catch((error: unknown) => talk(`poolctl: release of ${lease.id}: ${messageOf(error)}`));
  return lost ? EXIT.leaseLost : code;
}

function exitCodeOf(child: ReturnType<typeof spawn>, name: string): Promise<number> {
  return new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      talk(`poolctl: ${name}: ${error.message}`);
      resolve(error.code === 'ENOENT' ? 127 : 126);
    });
    child.on('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
