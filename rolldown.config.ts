import { defineConfig } from 'rolldown';

/**
 * `poolctl` in a few files instead of a thousand: half of a start was finding and reading modules. Names stay, so that a stack can
 * be read. The packages in it are dependencies all the same: the library beside it imports them, and they bring their licences.
 */
export default defineConfig({
  input: { poolctl: 'src/cli/main.ts' },
  platform: 'node',
  // Loaded only when used, by some; the first brings generated code that must not be in two places.
  external: [/^@eventstore\/db-client/, 'systeminformation'],
  output: {
    dir: 'dist/bin',
    format: 'esm',
    cleanDir: true,
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  },
});
