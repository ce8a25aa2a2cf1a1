import { Compile, type Validator } from 'typebox/compile';
import { type FieldError, invalid } from '../errors.ts';
import { parseRequirements } from '../values/amounts.ts';
import { DEFAULT_POOL_CONFIG, DEFAULT_TIER, type ResolvedConfig, type TierConfig } from './config.ts';
import { PoolConfigSchema } from './config-schema.ts';
import { schemaErrors } from './schema-errors.ts';
import { checkShare, isPercentage } from './share.ts';

type Fields = Record<string, unknown>;

/** The whole configuration for what a user wrote. Throws INVALID_CONFIG listing every wrong field. */
export function parseConfig(input: unknown): ResolvedConfig {
  return mergeConfig(DEFAULT_POOL_CONFIG, input);
}

/**
 * Owners whose quotas one change of a running pool may carry: to check and record so many takes some ms, in which nothing else is
 * done. A configuration that is read before anything is served may have more.
 */
export const MAX_CHANGED_QUOTAS = 1_024;

/** `mergeConfig` for a pool that runs. Throws INVALID_CONFIG, too, where the patch carries more than `MAX_CHANGED_QUOTAS`. */
export function changeConfig(base: ResolvedConfig, patch: unknown): ResolvedConfig {
  const { quotas } = Object(patch) as { readonly quotas?: object };
  const count = Object.keys(Object(quotas)).length;
  if (count <= MAX_CHANGED_QUOTAS) return mergeConfig(base, patch);
  const allowed = `those of ${MAX_CHANGED_QUOTAS} owners at most in one change; a pool may be started with more`;
  throw invalid([{ path: 'quotas', value: `those of ${count} owners`, allowed }], 'INVALID_CONFIG');
}

/** Made when it is first needed: what is right, as nearly all is, is seen in a fraction of the time that a list of errors takes. */
let compiled: Validator<Record<never, never>, typeof PoolConfigSchema> | undefined;

/**
 * `base` with the fields of `patch` in place of its own: sections are merged field by field, `tiers`, `priorities`,
 * `quotas` and amounts are replaced whole (JSON Merge Patch, RFC 7396, without deletion). Throws INVALID_CONFIG listing
 * every wrong field.
 */
export function mergeConfig(base: ResolvedConfig, patch: unknown): ResolvedConfig {
  compiled ??= Compile(PoolConfigSchema);
  const wrong = compiled.Check(patch) ? [] : schemaErrors(PoolConfigSchema, patch);
  const errors = wrong.map((error) => (error.path === '' ? { ...error, path: 'config' } : error));
  if (errors.length > 0) throw invalid(errors, 'INVALID_CONFIG');
  const merged = merge(base, structuredClone(patch) as Fields); // the caller's own may be changed by him
  const problems = checkConfig(merged, base);
  if (problems.length > 0) throw invalid(problems, 'INVALID_CONFIG');
  return merged;
}

const SECTIONS = ['leases', 'breaker', 'load', 'detection', 'overload', 'idempotency'] as const;

function merge(base: ResolvedConfig, patch: Fields): ResolvedConfig {
  const merged: Fields = { ...base, ...patch };
  for (const section of SECTIONS) merged[section] = { ...base[section], ...(patch[section] as object | undefined) };
  if (patch['tiers'] !== undefined)
    merged['tiers'] = (patch['tiers'] as (Partial<TierConfig> & { name: string })[]).map(wholeTier);
  return merged as unknown as ResolvedConfig;
}

const wholeTier = (tier: Partial<TierConfig> & { name: string }): TierConfig => ({
  ...DEFAULT_TIER,
  ...tier,
  queue: { ...DEFAULT_TIER.queue, ...tier.queue },
});

/** What no schema says: how fields go together. `base`: what it was made of. */
function checkConfig(config: ResolvedConfig, base: ResolvedConfig): FieldError[] {
  const errors: FieldError[] = [];
  const atMost = (path: string, value: number, limit: number, name: string) => {
    if (value > limit) errors.push({ path, value, allowed: `at most ${name} (${limit})` });
  };
  atMost('minPoolSize', config.minPoolSize, config.maxPoolSize, 'maxPoolSize');
  atMost('leases.minTtlMs', config.leases.minTtlMs, config.leases.maxTtlMs, 'leases.maxTtlMs');
  atMost('resourceTimeoutMs', config.resourceTimeoutMs, config.leases.maxTtlMs, 'leases.maxTtlMs');
  atMost('leases.minTtlMs', config.leases.minTtlMs, config.resourceTimeoutMs, 'resourceTimeoutMs');
  atMost('breaker.openMs', config.breaker.openMs, config.breaker.maxOpenMs, 'breaker.maxOpenMs');
  atMost('breaker.minimumCalls', config.breaker.minimumCalls, config.breaker.windowCount, 'breaker.windowCount');
  atMost('load.normalRatio', config.load.normalRatio, config.load.pressuredRatio, 'load.pressuredRatio');
  atMost('load.pressuredRatio', config.load.pressuredRatio, config.load.saturatedRatio, 'load.saturatedRatio');
  checkShare(config.reserve, 'reserve', errors);
  if (config.detection.capacity !== null) parseRequirements(config.detection.capacity, 'detection.capacity', errors);
  if (config.quotas !== base.quotas) checkQuotas(config, errors);
  if (Object.keys(config.priorities).length === 0)
    errors.push({ path: 'priorities', value: {}, allowed: 'at least one priority class' });
  checkTiers(config, errors);
  return errors;
}

/** There may be very many: those that a change leaves as they were have been checked. */
function checkQuotas({ quotas }: ResolvedConfig, errors: FieldError[]): void {
  for (const owner of Object.keys(quotas)) checkShare(quotas[owner], `quotas.${owner}`, errors);
}

function checkTiers(config: ResolvedConfig, errors: FieldError[]): void {
  const names = new Set<string>();
  for (const [i, tier] of config.tiers.entries()) {
    const path = `tiers.${i}`;
    if (names.has(tier.name))
      errors.push({ path: `${path}.name`, value: tier.name, allowed: 'a name that no other tier has' });
    if (tier.name === '__proto__') errors.push({ path: `${path}.name`, value: tier.name, allowed: 'any other name' });
    names.add(tier.name);
    for (const [j, priority] of tier.priorities.entries()) {
      if (!Object.hasOwn(config.priorities, priority)) {
        errors.push({
          path: `${path}.priorities.${j}`,
          value: priority,
          allowed: Object.keys(config.priorities).join(', '),
        });
      }
    }
    checkShare(tier.nominal, `${path}.nominal`, errors);
    for (const limit of ['borrowingLimit', 'lendingLimit'] as const) {
      if (tier[limit] !== null && tier[limit] !== 0) checkShare(tier[limit], `${path}.${limit}`, errors);
    }
  }
  checkPercentages(config, errors);
}

/** The nominals of all tiers that are percentages may add up to 100 % at the most, in every dimension. */
function checkPercentages(config: ResolvedConfig, errors: FieldError[]): void {
  const dimensions = new Set(
    config.tiers.flatMap((tier) => (typeof tier.nominal === 'object' ? Object.keys(tier.nominal) : [])),
  );
  for (const dimension of [...dimensions, '*']) {
    const sum = config.tiers.reduce((total, tier) => total + percentageIn(tier, dimension), 0);
    if (sum > 100 + 1e-9) {
      const path = dimension === '*' ? 'tiers' : `tiers.nominal.${dimension}`;
      errors.push({ path, value: `${sum}%`, allowed: 'nominal shares of at most 100% in all' });
    }
  }
}

function percentageIn(tier: TierConfig, dimension: string): number {
  const written = typeof tier.nominal === 'object' ? tier.nominal[dimension] : tier.nominal;
  return isPercentage(written) ? Number(written.slice(0, -1)) : 0;
}
