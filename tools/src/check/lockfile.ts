import type { Rule } from './rule.ts';

interface Lock {
  packages: Record<string, { resolved?: string; optionalDependencies?: Record<string, string> }>;
}

export const lockfile: Rule = {
  name: 'lockfile (complete, no addresses)',
  async inspect(repository) {
    const lock: Lock = JSON.parse(await repository.read('package-lock.json'));
    const problems = [...addressesIn(lock), ...missingIn(lock)].map(
      (problem) => `package-lock.json: ${problem}`,
    );
    return { problems, notes: [] };
  },
};

// An address ties every install to the registry or mirror of whoever wrote the lockfile last; the
// integrity hashes alone say which bytes are meant.
function addressesIn({ packages }: Lock): string[] {
  return Object.entries(packages)
    .filter(([, entry]) => /^(?:https?|git[+\w]*):/.test(entry.resolved ?? ''))
    .map(([path]) => `${path} has an address (see .npmrc)`);
}

// Packages for other platforms are optional, so `npm install` passes over one that it cannot find,
// and `npm ci` then refuses the lockfile on every machine.
function missingIn({ packages }: Lock): string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies }]) =>
    Object.keys(optionalDependencies ?? {})
      .filter(
        (name) =>
          !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
      )
      .map((name) => `${path} wants ${name}, which is missing: choose a version that has it`),
  );
}
