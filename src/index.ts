export { createResourceDetector, type DetectorOptions } from './detection/detector.ts';
export type { CheckResult, HealthCheck } from './integration/checks.ts';
export {
  createHealthMonitor,
  type DefaultHealthMonitor,
  type HealthMonitorOptions,
} from './integration/health-monitor.ts';
export { createTaskRouter, type TaskRouterOptions } from './integration/task-router.ts';
export type { Tried } from './manager/callers/commands.ts';
export { Lease } from './manager/callers/lease.ts';
export type { ManagerOptions } from './manager/options.ts';
export { type EventsOptions, ResourcePoolManager } from './manager/pool-manager.ts';
export type * from './manager/service.ts';
export type { Clock } from './model/clock.ts';
export { DEFAULT_POOL_CONFIG, type PoolConfig, type ResolvedConfig, type TierConfig } from './model/config/config.ts';
export { parseConfig } from './model/config/resolve-config.ts';
export { ERRORS, type ErrorCode, type FieldError, isPoolError, type Outcome, PoolError } from './model/errors.ts';
export type { EventStore } from './model/event-store.ts';
export type { EventData, EventType, RecordedAuditEvent, RecordedEvent, RecordedPoolEvent } from './model/events.ts';
export type * from './model/interfaces.ts';
export type { AdmissionMode, BreakerMode, LoadMode, TierMode } from './model/modes.ts';
export type { Refusal, RefusalCode } from './model/refusals.ts';
export { type AllocationRequest, Priority } from './model/request.ts';
export { type Amounts, type Requirements, ResourceType } from './model/values/amounts.ts';
export type { LeaseView, PoolView, RequestView, TierView } from './model/views.ts';
