import { mergeMap, type Observable } from 'rxjs';
import { createTaskRouter } from '../integration/task-router.ts';
import { DEFAULT_POOL_CONFIG, type OverloadConfig, type PoolConfig } from '../model/config/config.ts';
import { parseConfig } from '../model/config/resolve-config.ts';
import { PoolError } from '../model/errors.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../model/events.ts';
import type { ResourceDetector, TaskRouter } from '../model/interfaces.ts';
import type { BreakerMode } from '../model/modes.ts';
import type {
  EventFilter,
  LeaseFilter,
  MetricsView,
  Moment,
  Page,
  PageOptions,
  RequestFilter,
  StreamItem,
  UtilizationView,
} from '../model/reading.ts';
import type { AllocationRequest } from '../model/request.ts';
import type { LeaseView, PoolView, RequestView, TierView } from '../model/views.ts';
import { Commands, configView, type Tried } from './callers/commands.ts';
import type { Lease, LeaseHome } from './callers/lease.ts';
import { useLease } from './callers/use-lease.ts';
import type { Core } from './core.ts';
import { Lifecycle, type Running } from './lifecycle.ts';
import { localNode } from './local-node.ts';
import { metricsOf } from './metrics.ts';
import { checkOptions, type ManagerOptions } from './options.ts';
import type {
  CallOptions,
  ConfigView,
  LeaseAnswer,
  PoolService,
  ReadyStatus,
  SubmitOptions,
  Submitted,
} from './service.ts';
import { stopped } from './start.ts';

type LeaseRef = { readonly id: string; readonly token: number };

/** Where `events` begins, and which of them it gives. */
export interface EventsOptions {
  /** Inclusive revision; default the first that is kept. */
  readonly from?: number;
  readonly filter?: EventFilter;
  readonly signal?: AbortSignal;
}

const submitTo = (commands: Commands, request: unknown, options: SubmitOptions): Promise<Submitted> =>
  commands.allocate(request, commands.forSubmit, options.signal, options.actor, options);

/**
 * Manages a machine's capacity as leases. Every decision is an event in the store; what is answered is committed. Throws
 * INVALID_CONFIG at once on a wrong configuration or option; every method waits until the manager is ready by itself.
 */
export class ResourcePoolManager implements PoolService, LeaseHome, AsyncDisposable {
  readonly poolId: string;
  /** Routes tasks to this pool and the nodes that were given; the user's own router if one was given. */
  readonly router: TaskRouter;
  /** Committed events, from the subscription on; completes when the manager is disposed. */
  readonly committed$: Observable<RecordedPoolEvent>;
  readonly #life: Lifecycle;
  #commands: Commands | undefined;

  constructor(detector: ResourceDetector, config: Partial<PoolConfig> = {}, options: ManagerOptions = {}) {
    checkOptions(detector, options);
    this.#life = new Lifecycle(detector, parseConfig(config), options);
    this.poolId = this.#life.poolId;
    this.committed$ = this.#life.committed.committed$.pipe(mergeMap((batch) => batch));
    this.#life.ready.then(
      ({ core }) => {
        this.#commands = new Commands(core, this);
      },
      () => undefined, // told to whoever awaits it
    );
    const { taskRouter, nodes } = options;
    const localPool = () => this.#localNode();
    this.router = taskRouter ?? createTaskRouter({ localPool, ...(nodes !== undefined && { nodes }) });
  }

  async ready(): Promise<void> {
    await this.#life.ready;
  }

  status(): ReadyStatus {
    return this.#life.status();
  }

  /** In force now; the defaults until it has recovered, and for what an older log does not name. */
  overload(): OverloadConfig {
    const { overload } = DEFAULT_POOL_CONFIG;
    const config = this.#life.core?.options.readings.state.config;
    return config === undefined ? overload : { ...overload, ...config.overload };
  }

  /** Rejects with a PoolError carrying the refusal. */
  allocate(request: AllocationRequest): Promise<Lease> {
    try {
      const commands = this.#serving();
      if (commands !== undefined) return commands.allocate(request, commands.forLease, request?.signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#enter().then((commands) => commands.allocate(request, commands.forLease, request?.signal));
  }

  /** A refusal is a value here; throws only LOG_UNAVAILABLE, OUTCOME_UNKNOWN, INTERNAL and the signal's reason. */
  async tryAllocate(request: AllocationRequest): Promise<Tried> {
    const commands = await this.#enter();
    return commands.tryAllocate(request, request?.signal);
  }

  /** Runs `work` under a lease that is renewed until it settles, and released whatever happens. */
  async use<T>(request: AllocationRequest, work: (lease: Lease) => T | Promise<T>): Promise<T> {
    return useLease(await this.allocate(request), this.#life.clock, work);
  }

  /** A second release answers as the first did. Rejects with FENCED if the lease was reclaimed, or the token is not its token. */
  release({ id, token }: LeaseRef): Promise<void> {
    const commands = this.#serving();
    return commands === undefined
      ? this.#enter().then((ready) => ready.release(id, token))
      : commands.release(id, token);
  }

  async renew({ id, token }: LeaseRef, { ttlMs }: { readonly ttlMs?: number } = {}): Promise<LeaseView> {
    return (await (await this.#enter()).renewLease(id, token, ttlMs, {})).lease;
  }

  async revoke(
    leaseId: string,
    options: { readonly reason?: string; readonly graceMs?: number } = {},
  ): Promise<LeaseView> {
    return (await (await this.#enter()).revokeLease(leaseId, options.reason, options.graceMs, {})).lease;
  }

  async cancel(requestId: string): Promise<RequestView> {
    return this.cancelRequest(requestId);
  }

  getState(): Promise<PoolView> {
    return this.getPool();
  }

  /** The pool at a revision (included) or an instant. Rejects with NOT_FOUND for what is not there (yet). */
  stateAt(moment: number | Date): Promise<PoolView> {
    return this.getPool(moment instanceof Date ? { at: moment.getTime() } : { revision: moment });
  }

  /** History from `from`, then live events, until `signal` aborts or the loop is left. */
  async *events({ from, filter = {}, signal }: EventsOptions = {}): AsyncGenerator<RecordedPoolEvent> {
    for await (const item of this.followEvents({ ...filter, ...(from !== undefined && { from }) }, signal))
      if ('event' in item) yield item.event;
  }

  cordon(tier: string): Promise<TierView> {
    return this.cordonTier(tier);
  }

  uncordon(tier: string): Promise<TierView> {
    return this.uncordonTier(tier);
  }

  /** Merges the fields into the configuration in force; recorded, so that it outlives a restart. */
  configure(patch: Partial<PoolConfig>): Promise<ConfigView> {
    return this.patchConfig(patch, undefined);
  }

  /** Admits nothing any more; settles when no lease is left, or at the deadline. The next start serves again. */
  async drain({ deadlineMs }: { readonly deadlineMs?: number } = {}): Promise<void> {
    const { core } = await this.#running();
    await (await this.#enter()).drainPool(deadlineMs ?? null);
    await core.emptied(deadlineMs);
  }

  submit(request: unknown, options: SubmitOptions = {}): Promise<Submitted> {
    const commands = this.#serving();
    if (commands === undefined) return this.#enter().then((ready) => submitTo(ready, request, options));
    try {
      return submitTo(commands, request, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async releaseLease(leaseId: string, token: number, options: CallOptions = {}): Promise<LeaseAnswer> {
    return (this.#serving() ?? (await this.#enter())).releaseLease(leaseId, token, options);
  }

  async renewLease(
    leaseId: string,
    token: number,
    ttlMs: number | undefined,
    options: CallOptions = {},
  ): Promise<LeaseAnswer> {
    return (await this.#enter()).renewLease(leaseId, token, ttlMs, options);
  }

  async revokeLease(
    leaseId: string,
    reason: string | undefined,
    graceMs: number | undefined,
    options: CallOptions = {},
  ): Promise<LeaseAnswer> {
    return (await this.#enter()).revokeLease(leaseId, reason, graceMs, options);
  }

  async cancelRequest(requestId: string, options: CallOptions = {}): Promise<RequestView> {
    return (await this.#enter()).cancelRequest(requestId, options);
  }

  async cordonTier(tier: string, options: CallOptions = {}): Promise<TierView> {
    return (await this.#enter()).cordonTier(tier, options);
  }

  async uncordonTier(tier: string, options: CallOptions = {}): Promise<TierView> {
    return (await this.#enter()).uncordonTier(tier, options);
  }

  /** `deadline`: ms, or as the library writes it. */
  async drainTier(
    tier: string,
    deadline: number | { readonly deadlineMs: number },
    options: CallOptions = {},
  ): Promise<TierView> {
    const deadlineMs = typeof deadline === 'number' ? deadline : deadline.deadlineMs;
    return (await this.#enter()).drainTier(tier, deadlineMs, options);
  }

  async setBreaker(mode: BreakerMode, options: CallOptions = {}): Promise<PoolView['breaker']> {
    return (await this.#enter()).setBreaker(mode, options);
  }

  async getConfig(): Promise<ConfigView> {
    return configView((await this.#running()).core.options.readings.state);
  }

  async patchConfig(
    patch: unknown,
    expectedRevision: number | undefined,
    options: CallOptions = {},
  ): Promise<ConfigView> {
    return (await this.#enter()).patchConfig(patch, expectedRevision, options);
  }

  async getMetrics(): Promise<MetricsView> {
    return metricsOf((await this.#running()).core);
  }

  async getPool(moment?: Moment, signal?: AbortSignal): Promise<PoolView> {
    return (await this.#running()).reader.getPool(moment, signal);
  }

  async getLease(leaseId: string): Promise<LeaseView> {
    return (await this.#running()).reader.getLease(leaseId);
  }

  async listLeases(filter?: LeaseFilter): Promise<Page<LeaseView>> {
    return (await this.#running()).reader.listLeases(filter);
  }

  async getRequest(requestId: string): Promise<RequestView> {
    return (await this.#running()).reader.getRequest(requestId);
  }

  async listRequests(filter?: RequestFilter): Promise<Page<RequestView>> {
    return (await this.#running()).reader.listRequests(filter);
  }

  async getUtilization(): Promise<UtilizationView> {
    return (await this.#running()).reader.getUtilization();
  }

  async pageEvents(filter: EventFilter, page: PageOptions): Promise<Page<RecordedPoolEvent>> {
    return (await this.#running()).reader.pageEvents(filter, page);
  }

  async pageRefusals(filter: EventFilter, page: PageOptions): Promise<Page<RecordedAuditEvent>> {
    return (await this.#running()).reader.pageRefusals(filter, page);
  }

  async *followEvents(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedPoolEvent>> {
    yield* (await this.#running()).reader.followEvents(filter, signal);
  }

  async *followRefusals(filter: EventFilter, signal?: AbortSignal): AsyncIterable<StreamItem<RecordedAuditEvent>> {
    yield* (await this.#running()).reader.followRefusals(filter, signal);
  }

  lookUp(leaseId: string): ReturnType<LeaseHome['lookUp']> {
    const state = this.#life.core?.options.readings.state;
    return state?.leases.get(leaseId) ?? state?.ended.get(leaseId);
  }

  watch(leaseId: string): AbortSignal {
    const core = this.#life.core;
    const lease = core?.options.readings.state.leases.get(leaseId);
    const ttlMs = lease?.ttlMs ?? 0;
    return core === undefined
      ? AbortSignal.abort(stopped())
      : core.watches.watch(leaseId, core.deadlines.leftMs(lease?.token ?? 0), ttlMs);
  }

  /** Waits for what is in flight, never for leases. Idempotent; a disposed manager refuses everything with DRAINING. */
  dispose(): Promise<void> {
    return this.#life.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** The commands, if the manager serves now. */
  #serving(): Commands | undefined {
    return this.#life.running === undefined ? undefined : this.#commands;
  }

  /** The commands, as soon as the manager serves. Rejects with why it does not. */
  async #enter(): Promise<Commands> {
    await this.#running();
    return this.#commands!;
  }

  async #running(): Promise<Running> {
    const running = await this.#life.ready;
    if (this.#life.running === undefined) throw stopped();
    return running;
  }

  #localNode() {
    const core: Core | undefined = this.#life.running;
    if (core === undefined) throw new PoolError('DRAINING', 'the manager does not serve yet, or no more');
    return localNode(core.options.readings.state, core.engine.accepts);
  }
}
