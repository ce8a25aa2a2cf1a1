export { MemoryEventStore } from './memory.ts';
export { type OpenStoreOptions, openEventStore } from './open.ts';
export { createLift, type Lift, lift, UnknownEventError, type Upcaster, type Upcasters } from './upcast.ts';
