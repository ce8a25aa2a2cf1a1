/** Runs every part of the benchmark, one after the other, each in a process of its own so that none warms another up. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

const parts = new URL('./parts/', import.meta.url);
console.log(
  `${cpus()[0]?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
for (const name of readdirSync(parts).sort()) {
  console.log(`\n# ${name}`);
  const { status } = spawnSync(process.execPath, ['--expose-gc', new URL(name, parts).pathname], { stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
