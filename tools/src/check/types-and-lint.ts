import { problemsOf, runNodeProgram } from './program.ts';
import type { Rule } from './rule.ts';

// By its path, because node_modules/.bin/tsc may be either of the two TypeScripts that are
// installed: version 6 is there for tools that need the compiler's API, which version 7 does not
// have.
const typescript7 = 'node_modules/@typescript/native/bin/tsc';

export const types: Rule = {
  name: 'types (TypeScript 7, strict)',
  async inspect({ root }) {
    const version = await runNodeProgram(root, typescript7, ['--version']);
    if (!/^Version 7\./.test(version.stdout)) {
      return {
        problems: [`${typescript7} is not TypeScript 7: ${version.stdout}${version.stderr}`],
        notes: [],
      };
    }
    return {
      problems: problemsOf(
        await runNodeProgram(root, typescript7, ['--noEmit', '--pretty', 'false']),
      ),
      notes: [],
    };
  },
};

export const lintAndFormat: Rule = {
  name: 'lint and format (biome)',
  async inspect({ root }) {
    const args = [
      'check',
      '--error-on-warnings',
      '--diagnostic-level=warn',
      '--colors=off',
      '--max-diagnostics=50',
    ];
    return {
      problems: problemsOf(
        await runNodeProgram(root, 'node_modules/@biomejs/biome/bin/biome', args),
      ),
      notes: [],
    };
  },
};
