/**
 * What a test has opened, closed again after it, the last first. The hook is registered by `setup.ts` for every test file: test files of
 * one worker share their modules, so a hook that a shared module registers would hold for the first file alone.
 */
const opened: (() => unknown)[] = [];

export function afterThisTest(close: () => unknown): void {
  opened.push(close);
}

export async function cleanUp(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close();
}
