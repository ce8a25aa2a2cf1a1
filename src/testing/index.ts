export { type Choice, chooseFrom, commandFor, randomSource } from './arbitraries.ts';
export { checkInvariants, checkLog, LogChecker } from './check-log.ts';
export { type FakeClock, fakeClock } from './fake-clock.ts';
export { ReferenceModel } from './reference-model.ts';
