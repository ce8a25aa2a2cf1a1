#!/usr/bin/env node
import { CommanderError } from 'commander';
import { EXIT, exitCodeOf, messageOf } from './exit.ts';
import { talk } from './output.ts';
import { buildProgram } from './program.ts';

// A reader that went away (`poolctl events | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await buildProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  else {
    talk(`poolctl: ${messageOf(error)}`);
    process.exitCode = exitCodeOf(error);
  }
}
