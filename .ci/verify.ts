/**
 * Everything that must be green before a change lands, in one run. Prints what ran and how long it took; a step that
 * fails prints its output and the run goes on, so that one run shows everything that is wrong.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Step {
  readonly name: string;
  readonly command: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** A vitest run: its own tests are counted instead of the step. */
  readonly vitest?: boolean;
}

const MESSAGE_CHARACTERS = 1_500;
const scratch = mkdtempSync(join(tmpdir(), 'rpm-verify-'));
const report = (name: string) => join(scratch, `${name.replaceAll(/\W/g, '-')}.json`);

const STEPS: readonly Step[] = [
  { name: 'types', command: 'npm run --silent typecheck' },
  { name: 'lint and format', command: 'npm run --silent lint' },
  { name: 'import rule', command: 'npm run --silent imports' },
  { name: 'dead code', command: 'npm run --silent knip' },
  { name: 'build', command: 'npm run --silent build' },
  { name: 'package', command: 'npm run --silent package:check' },
  { name: 'tests', command: 'npx --no-install vitest run', vitest: true },
  { name: 'long tests', command: 'npx --no-install vitest run --config vitest.long.config.ts', vitest: true },
];

async function run(step: Step): Promise<{ code: number; output: string }> {
  const reporters = step.vitest ? ` --reporter=default --reporter=json --outputFile.json=${report(step.name)}` : '';
  const child = spawn(step.command + reporters, {
    shell: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...step.environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk;
      if (step.vitest) process.stdout.write(chunk);
    });
  }
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  return { code, output };
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Each test that failed and how its message begins. */
  readonly failures: readonly string[];
}

interface TestFile {
  readonly assertionResults: readonly { fullName: string; status: string; failureMessages: readonly string[] }[];
}

function counts(step: Step, code: number): Counts {
  if (!step.vitest) return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, failures: [] };
  try {
    const { numPassedTests, numFailedTests, success, testResults } = JSON.parse(
      readFileSync(report(step.name), 'utf8'),
    );
    const silent = (code !== 0 || !success) && numFailedTests === 0; // a file that does not load, an unhandled error
    return { passed: numPassedTests, failed: numFailedTests + (silent ? 1 : 0), failures: failuresOf(testResults) };
  } catch {
    return { passed: 0, failed: 1, failures: [] };
  }
}

const failuresOf = (files: readonly TestFile[]): string[] =>
  files
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => `${fullName}\n${failureMessages.join('\n').slice(0, MESSAGE_CHARACTERS)}`);

const only = process.argv[2];
const total = { passed: 0, failed: 0 };
const summary: string[] = [];
const failures: string[] = [];
for (const step of STEPS) {
  if (only !== undefined && step.name !== only) continue;
  console.log(`\n== ${step.name}: ${step.command}`);
  const began = performance.now();
  const { code, output } = await run(step);
  const { passed, failed, failures: found } = counts(step, code);
  failures.push(...found);
  total.passed += passed;
  total.failed += failed;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  if (failed > 0 && !step.vitest) console.log(output);
  summary.push(
    `${failed === 0 ? 'ok  ' : 'FAIL'} ${step.name.padEnd(18)} ${String(passed).padStart(5)} passed ${String(failed).padStart(3)} failed ${seconds.padStart(7)} s`,
  );
  console.log(summary.at(-1));
}
rmSync(scratch, { recursive: true, force: true });
for (const failure of failures) console.log(`\nFAIL ${failure}`);
console.log(`\n${summary.join('\n')}\n\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
