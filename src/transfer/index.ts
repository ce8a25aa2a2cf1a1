/** Moving a pool from one store to another: all that the command line needs of it. */
export { openEventStore } from '../eventstore/open.ts';
export { floorAbove } from '../eventstore/token-floor.ts';
export { backupLog, repairLog } from './copy-log.ts';
export { goodPart } from './cut.ts';
export { exportLog } from './export.ts';
export { importLog, verifyExport } from './import.ts';
