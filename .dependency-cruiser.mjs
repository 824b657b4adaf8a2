// Imports go one way: contracts <- platform <- services <- embedded <- lab <- system-tests; tools
// build the documents. Inside platform: process <- postgres <- {http, messaging} <- {kafka,
// operate}. Inside a service: no stage imports operate. `npm run check` runs this and also makes
// sure that every source file was looked at.

const above = (...folders) => ({ path: `^(?:${folders.join('|')})/` });
const forbidden = (name, from, to) => ({ name, severity: 'error', from, to });
const everythingAbove = ['embedded', 'lab', 'system-tests', 'tools', 'console'];

/** The rooms of platform, and which other rooms each may import. */
const rooms = {
  process: [],
  postgres: ['process'],
  http: ['process', 'postgres'],
  messaging: ['process', 'postgres'],
  kafka: ['process', 'postgres', 'messaging'],
  operate: ['process', 'postgres', 'http', 'messaging'],
};
const walls = Object.entries(rooms).map(([room, below]) =>
  forbidden(
    `platform-${room}-imports-only-the-rooms-below`,
    { path: `^packages/platform/src/${room}/` },
    {
      path: '^packages/platform/src/',
      pathNot: `^packages/platform/src/(?:${[room, ...below].join('|')})/`,
    },
  ),
);

/** Processes and commands: files that no other file imports. */
const entryPoints = [
  '^services/[^/]+/src/(?:main|migrate)\\.ts$',
  '^embedded/src/(?:main|start-[^/]+)\\.ts$',
  '^tools/src/[^/]+\\.ts$',
  '^lab/src/[^/]+/main\\.ts$',
  '^lab/src/bench/[^/]+\\.ts$',
  '^lab/src/kit/second-clock\\.ts$',
];

export default {
  forbidden: [
    forbidden(
      'contracts-import-no-other-workspace',
      { path: '^packages/contracts/' },
      above('packages/platform', 'services', ...everythingAbove),
    ),
    forbidden(
      'platform-imports-only-contracts',
      { path: '^packages/platform/', pathNot: '/test/' },
      above('services', ...everythingAbove),
    ),
    ...walls,
    forbidden(
      'services-import-only-contracts-and-platform',
      { path: '^services/' },
      above(...everythingAbove),
    ),
    forbidden(
      'services-never-import-each-other',
      { path: '^services/([^/]+)/' },
      { path: '^services/', pathNot: '^services/$1/' },
    ),
    forbidden(
      'the-way-of-an-order-never-imports-operate',
      { path: '^services/[^/]+/src/(?:take|show|receive|ship)/' },
      { path: '^services/[^/]+/src/operate/' },
    ),
    forbidden(
      'embedded-is-not-above-lab',
      { path: '^embedded/' },
      above('lab', 'system-tests', 'tools', 'console'),
    ),
    // Every command reads its arguments in one way: that is plumbing, and judges nothing.
    forbidden(
      'lab-sees-the-system-from-outside',
      { path: '^lab/', pathNot: '^lab/(?:src|test)/bench/' },
      {
        ...above('packages/platform', 'services', 'system-tests', 'tools', 'console'),
        pathNot: '^packages/platform/src/process/command-line\\.ts$',
      },
    ),
    forbidden(
      'the-audit-imports-only-contracts-and-its-kit',
      { path: '^lab/src/audit/' },
      { path: '^lab/src/', pathNot: '^lab/src/(?:audit|kit)/' },
    ),
    forbidden(
      'system-tests-see-the-system-from-outside',
      { path: '^system-tests/' },
      above('packages/platform', 'services', 'tools', 'console'),
    ),
    forbidden(
      'tools-are-not-above-lab',
      { path: '^tools/' },
      above('lab', 'system-tests', 'console'),
    ),
    // The reader of the process table and the port finder too: plumbing that judges nothing.
    forbidden(
      'only-the-way-in-and-plumbing-of-embedded',
      { path: '^(?:system-tests|lab)/', pathNot: '^lab/(?:src|test)/bench/' },
      {
        path: '^embedded/',
        pathNot: '^embedded/src/(?:main|start[^/]*|processes/(?:process-table|server-port))\\.ts$',
      },
    ),
    forbidden('src-never-imports-test', { path: '/src/' }, { path: '/test/|\\.test\\.ts$' }),
    forbidden('no-cycles', {}, { circular: true }),
    forbidden('no-unresolvable-import', {}, { couldNotResolve: true }),
    forbidden(
      'no-package-that-the-workspace-does-not-name',
      { path: '/src/' },
      { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    ),
    {
      name: 'no-module-that-nobody-imports',
      severity: 'error',
      from: {},
      module: { path: '/src/.*\\.ts$', pathNot: entryPoints, numberOfDependentsLessThan: 1 },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/node_modules/' },
    tsPreCompilationDeps: true, // imports of types are imports too
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['node', 'import', 'types'],
    },
  },
};
