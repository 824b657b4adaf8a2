// Imports go one way: contracts <- platform <- services <- embedded; system-tests and tools look on from outside.
// `npm run check` runs this and also makes sure that every source file was looked at.

const above = (...folders) => ({ path: `^(?:${folders.join('|')})/` });
const forbidden = (name, from, to) => ({ name, severity: 'error', from, to });

/** Processes and commands: files that no other file imports. */
const entryPoints = [
  '^services/[^/]+/src/(?:main|migrate)\\.ts$',
  '^embedded/src/(?:main|kafka|start-[^/]+)\\.ts$',
  '^tools/src/[^/]+\\.ts$',
  '^tools/src/bench/[^/]+\\.ts$',
  '^system-tests/src/chaos/main\\.ts$',
];

export default {
  forbidden: [
    forbidden(
      'contracts-import-no-other-workspace',
      { path: '^packages/contracts/' },
      above('packages/platform', 'services', 'embedded', 'system-tests', 'tools', 'console'),
    ),
    forbidden(
      'platform-imports-only-contracts',
      { path: '^packages/platform/', pathNot: '/test/' },
      above('services', 'embedded', 'system-tests', 'tools', 'console'),
    ),
    forbidden(
      'services-import-only-contracts-and-platform',
      { path: '^services/' },
      above('embedded', 'system-tests', 'tools', 'console'),
    ),
    forbidden(
      'services-never-import-each-other',
      { path: '^services/([^/]+)/' },
      { path: '^services/', pathNot: '^services/$1/' },
    ),
    forbidden('embedded-is-not-above-tools', { path: '^embedded/' }, above('system-tests', 'tools', 'console')),
    forbidden(
      'system-tests-see-the-system-from-outside',
      { path: '^system-tests/' },
      above('packages/platform', 'services', 'tools', 'console'),
    ),
    forbidden(
      'tools-see-the-system-from-outside',
      { path: '^tools/', pathNot: '^tools/(?:src|test)/(?:bench/|generated-docs|config|keys)' },
      above('packages/platform', 'services', 'system-tests', 'console'),
    ),
    forbidden(
      'only-the-way-in-of-embedded',
      { path: '^(?:system-tests|tools)/', pathNot: '^tools/(?:src|test)/(?:bench/|generated-docs|config|keys)' },
      { path: '^embedded/', pathNot: '^embedded/src/(?:main|start[^/]*|system)\\.ts$' },
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
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['node', 'import', 'types'] },
  },
};
