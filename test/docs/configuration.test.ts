import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { ENVIRONMENT, loadConfig } from '../../src/cli/serve-config.ts';
import { DEFAULT_POOL_CONFIG, DEFAULT_TIER } from '../../src/model/config/config.ts';
import { PoolConfigSchema } from '../../src/model/config/config-schema.ts';

const DOCUMENT = new URL('../../docs/configuration.md', import.meta.url);

interface Schema {
  readonly title?: string;
  readonly description?: string;
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
}

interface Field {
  readonly path: string;
  readonly default: unknown;
  readonly allowed: string;
  readonly meaning: string;
}

function fieldsOf(schema: Schema, path: string, value: unknown): Field[] {
  const inner = schema.properties ?? {};
  if (Object.keys(inner).length === 0)
    return [{ path, default: value, allowed: schema.description ?? '', meaning: schema.title ?? '' }];
  return Object.entries(inner).flatMap(([name, field]) =>
    fieldsOf(field, path === '' ? name : `${path}.${name}`, (value as Record<string, unknown>)[name]),
  );
}

const VARIABLES = new Map([...ENVIRONMENT].map(([name, path]) => [path.join('.'), name]));

const text = (value: unknown): string => (value === undefined ? '-' : `\`${JSON.stringify(value)}\``);

function table(fields: readonly Field[], variables: boolean): string {
  const rows = fields.map((field) => {
    const variable = variables ? ` \`${VARIABLES.get(field.path)}\` |` : '';
    return `| \`${field.path}\` | ${text(field.default)} | ${field.meaning} | ${field.allowed} |${variable}`;
  });
  return [
    `| field | default | what it is for | allowed |${variables ? ' variable |' : ''}`,
    `|---|---|---|---|${variables ? '---|' : ''}`,
    ...rows,
  ].join('\n');
}

function page(): string {
  const { tiers, ...others } = PoolConfigSchema.properties as unknown as Record<string, Schema>;
  const fields = fieldsOf({ properties: others }, '', DEFAULT_POOL_CONFIG);
  const ofTier = fieldsOf(tiers!.items!, '', DEFAULT_TIER);
  return `# Configuration

\`poolctl serve\` takes it from a file (\`--config FILE\`, YAML or JSON), then from \`RPM_*\` variables, then from \`--set PATH=VALUE\`:
later wins. The library takes the same object. \`PATCH /v1/config\` and \`poolctl config --set\` change it while the pool runs; a
change is an event, so it outlives restarts until file, variables or flags say something new. Every wrong field is reported
at once, with its path, its value and what is allowed. All durations are whole milliseconds.

Plain numbers of amounts are MiB (memory, disk), percent of one core (cpu), Mbit/s (network) or units; texts carry their unit
("1.5Gi", "250m"). In a configuration a percentage is one of what is allocatable: the capacity less \`reserve\`.

This page is written by \`npm run docs\` from the schema; a test fails when it is stale.

## Fields
${table(fields, true)}

\`RPM_TIERS\` takes the list of tiers as JSON, and a section's own variable (\`RPM_BREAKER\`) the section. Besides: \`RPM_PORT\`, \`RPM_HOST\`,
\`RPM_DATA\`, \`RPM_CONFIG\`, \`RPM_STORE\`, \`RPM_LOG_LEVEL\` (as the flags of \`serve\`), \`RPM_SERVER\` (for the other commands).

## Tiers
\`tiers\` is a list in order, replaced whole by a change. Each takes these defaults:

${table(ofTier, false)}

## The whole default
\`DEFAULT_POOL_CONFIG\`, as a file would hold it:

\`\`\`yaml
${stringify(DEFAULT_POOL_CONFIG, { aliasDuplicateObjects: false }).trimEnd()}
\`\`\`
`;
}

test('docs/configuration.md tells every field, its default and what is allowed (UPDATE_DOCS=1 writes it)', async () => {
  const now = page();
  expect(now).not.toMatch(/\| +\|/); // no field without a meaning
  if (process.env['UPDATE_DOCS'] === '1') await writeFile(DOCUMENT, now);
  expect(await readFile(DOCUMENT, 'utf8')).toBe(now);
});

test('the default that the page prints is a file that gives the default', async () => {
  const yaml = /```yaml\n([\s\S]*?)```/.exec(await readFile(DOCUMENT, 'utf8'))![1]!;
  const folder = await mkdtemp(join(tmpdir(), 'rpm-docs-'));
  await writeFile(join(folder, 'pool.yaml'), yaml);
  expect(await loadConfig(join(folder, 'pool.yaml'), {}, {})).toEqual(DEFAULT_POOL_CONFIG);
  await rm(folder, { recursive: true });
});
