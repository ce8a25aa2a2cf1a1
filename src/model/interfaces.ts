import type { AllocationRequest } from './request.ts';
import type { Requirements } from './values/amounts.ts';

/** The machine as it is. Amounts in base units; pressure is PSI avg10 as 0..1. */
export interface SystemResources {
  readonly at: number;
  readonly hostId: string;
  readonly source: 'detected' | 'declared';
  /** A cgroup limit is lower than what the host has. */
  readonly containerLimited: boolean;
  readonly resources: Readonly<
    Record<string, { readonly total: number; readonly used: number; readonly available: number }>
  >;
  readonly pressure?: { readonly cpu?: number; readonly memory?: number; readonly io?: number };
  /** What this look could not read, and why, by dimension: its last good amounts stand, or it is left out if there are none. */
  readonly unreadable?: Readonly<Record<string, string>>;
}

export interface ResourceAvailability {
  readonly at: number;
  /** The values are the last good ones, and older than they should be. */
  readonly stale: boolean;
  readonly available: Readonly<Record<string, number>>;
  /** Dimensions of which little is left. */
  readonly constrained: readonly string[];
}

/** The getters are synchronous and answer at once. */
export interface ResourceDetector {
  getCurrentResources(): SystemResources;
  getAvailability(): ResourceAvailability;
}

export interface HealthStatus {
  readonly healthy: boolean;
  readonly at: number;
  readonly checks: readonly { readonly name: string; readonly healthy: boolean; readonly message?: string }[];
}

/** `utilization` is 0..1; amounts in base units. */
export interface ResourceMetrics {
  readonly at: number;
  readonly revision: number;
  readonly capacity: Readonly<Record<string, number>>;
  readonly allocated: Readonly<Record<string, number>>;
  readonly utilization: Readonly<Record<string, number>>;
  readonly leases: number;
  readonly waiting: number;
  readonly grantedTotal: number;
  readonly refusedTotal: number;
  readonly reclaimedTotal: number;
  readonly breaker: string;
  readonly cacheHitRatio: number | null;
}

export interface ResourceIssue {
  readonly code: string;
  readonly severity: 'info' | 'warning' | 'critical';
  readonly message: string;
  readonly at: number;
  readonly tier?: string;
  readonly leaseId?: string;
  readonly resource?: string;
}

export interface HealthMonitor {
  checkResourceHealth(): Promise<HealthStatus>;
  reportResourceMetrics(metrics: ResourceMetrics): void;
  alertResourceIssue(issue: ResourceIssue): void;
}

export interface Task {
  readonly id: string;
  readonly requirements: Requirements;
  readonly type?: string;
  readonly priority?: string;
  readonly owner?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface Node {
  readonly id: string;
  readonly url?: string;
  readonly healthy: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Base units. */
  readonly capacity: Readonly<Record<string, number>>;
  readonly available: Readonly<Record<string, number>>;
}

export type ResourceRequest = AllocationRequest;

export interface TaskRouter {
  routeTask(task: Task): Promise<Node>;
  getResourceRequirements(task: Task): ResourceRequest;
  validateResources(node: Node, request: ResourceRequest): boolean;
}

/** What is written where; pino fits it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };
