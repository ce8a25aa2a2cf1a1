export { type Choice, chooseFrom, commandFor, randomSource } from './arbitraries.ts';
export { checkInvariants, checkLog, LogChecker } from './check-log.ts';
export { type FakeClock, fakeClock } from './fake-clock.ts';
export {
  APPEND_FAULTS,
  type AppendFault,
  type Fault,
  type FaultCounts,
  type FaultRates,
  READ_FAULTS,
  type ReadFault,
} from './faults.ts';
export { FaultyStore, type FaultyStoreOptions, type Step } from './faulty-store.ts';
export { type HostClock, hostClock } from './host-clock.ts';
export { leftWaiting, passedOver } from './passed-over.ts';
export { ReferenceModel } from './reference-model.ts';
