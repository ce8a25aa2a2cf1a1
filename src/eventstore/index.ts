export { type CheckOptions, type CheckReport, checkStore } from './check.ts';
export { DamagedLogError } from './errors.ts';
export { MemoryEventStore } from './memory/store.ts';
export { openEventStore } from './open.ts';
export type { OpenStoreOptions } from './options.ts';
export { createLift, type Lift, lift, UnknownEventError, type Upcaster, type Upcasters } from './upcast.ts';
