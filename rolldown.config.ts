import { defineConfig } from 'rolldown';

/** Loaded only when used, by some; the first brings generated code that must not be in two places. */
const LOADED_WHEN_USED = [/^@eventstore\/db-client/, 'systeminformation'];

/** Names stay, so that a stack can be read. */
const minify = { compress: false, mangle: false, codegen: { removeWhitespace: true } } as const;

/**
 * `poolctl` and the library in a few files each instead of a thousand: half of a start, and a third of the memory, was finding, reading
 * and linking modules. The packages in them are dependencies all the same: they bring their licences and their types.
 */
export default defineConfig([
  {
    input: { poolctl: 'src/cli/main.ts' },
    platform: 'node',
    external: LOADED_WHEN_USED,
    output: { dir: 'dist/bin', format: 'esm', cleanDir: true, minify },
  },
  {
    input: {
      index: 'src/index.ts',
      'client/index': 'src/client/index.ts',
      'testing/index': 'src/testing/index.ts',
      'eventstore/index': 'src/eventstore/index.ts',
    },
    platform: 'node',
    // What a caller may have, too, and exchanges with the library: observables, and what tests need.
    external: [...LOADED_WHEN_USED, /^rxjs/, 'xstate', 'fast-check'],
    output: { dir: 'dist', format: 'esm', chunkFileNames: 'chunks/[name]-[hash].js', minify },
  },
]);
