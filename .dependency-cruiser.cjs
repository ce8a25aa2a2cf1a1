/**
 * The import rule of the rooms (docs/ARCHITECTURE.md). Each room names the rooms that it may see; everything else is
 * an error. Packages that belong to one room are errors elsewhere. The CLI may use the public surface as a user does.
 */
const CORE = ['model', 'machines', 'domain', 'projections', 'replay'];
const MAY_SEE = {
  model: [],
  machines: ['model'],
  'machines/live': ['model', 'machines', 'time'],
  domain: ['model', 'machines'],
  time: ['model'],
  eventstore: ['model', 'time'],
  detection: ['model', 'time'],
  integration: ['model', 'time'],
  client: ['model'],
  projections: ['model', 'machines', 'domain'],
  replay: ['model', 'machines', 'domain', 'projections'],
  engine: [...CORE, 'eventstore', 'time'],
  reading: [...CORE, 'eventstore', 'time'],
  transfer: [...CORE, 'eventstore', 'time', 'reading'],
  manager: [
    ...CORE,
    'machines/live',
    'eventstore',
    'time',
    'detection',
    'integration',
    'engine',
    'reading',
    'transfer',
  ],
  api: ['model', 'time', 'domain', 'projections', 'replay', 'manager'],
  cli: ['model', 'time', 'domain', 'projections', 'replay', 'reading', 'transfer', 'manager', 'api', 'client'],
  testing: [...CORE, 'machines/live', 'eventstore', 'time', 'engine', 'manager'],
};

/** A room's own files; `machines` without its sub-room `machines/live`. */
const inside = (room) => (room === 'machines' ? '^src/machines/(?!live/)' : `^src/${room}/`);

const roomRules = Object.entries(MAY_SEE).map(([room, seen]) => ({
  name: `room-${room.replace('/', '-')}`,
  severity: 'error',
  from: { path: inside(room) },
  to: { path: '^src/', pathNot: [inside(room), ...seen.map(inside), ...(room === 'cli' ? ['^src/index.ts$'] : [])] },
}));

const PACKAGES = {
  xstate: '^src/machines/',
  rxjs: '^src/(time|machines/live|manager)/',
  fastify: '^src/api/',
  '@fastify/[^/]+': '^src/api/',
  '@eventstore/db-client': '^src/eventstore/',
  systeminformation: '^src/detection/',
  'lru-cache': '^src/(engine|replay)/',
  commander: '^src/cli/',
  'prom-client': '^src/api/',
};

const packageRules = Object.entries(PACKAGES).map(([name, rooms]) => ({
  name: `package-${name.replace(/[^a-z]+/g, '-')}`,
  severity: 'error',
  from: { path: '^src/', pathNot: rooms },
  to: { path: `node_modules/${name}/` },
}));

module.exports = {
  forbidden: [
    ...roomRules,
    ...packageRules,
    {
      name: 'no-circular',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'core-is-pure',
      severity: 'error',
      from: { path: ['^src/(model|domain|projections|replay)/', '^src/machines/(?!live/)'] },
      to: { dependencyTypes: ['core'] },
    },
    { name: 'not-the-tests', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|bench|examples)/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default', 'node'],
    },
  },
};
