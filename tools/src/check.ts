import { join } from 'node:path';
import { runCommand } from '@orders/platform/process/command-line';
import { documents } from './check/documents.ts';

import { forbiddenWords } from './check/forbidden-words.ts';
import { imports } from './check/imports.ts';
import { invariants } from './check/invariants.ts';
import { lockfile } from './check/lockfile.ts';
import { openRepository } from './check/repository.ts';
import { runRules } from './check/rule.ts';
import { sizes } from './check/sizes.ts';
import { stations } from './check/stations.ts';
import { forbiddenSynonyms } from './check/synonyms.ts';
import { lintAndFormat, types } from './check/types-and-lint.ts';
import { unused } from './check/unused.ts';
import { width } from './check/width.ts';
import { freshDocs, generatedDocs } from './generated-docs.ts';

const rules = [
  types,
  lintAndFormat,
  imports,
  sizes,
  documents,
  freshDocs(generatedDocs),
  forbiddenWords,
  forbiddenSynonyms,
  lockfile,
  stations,
  invariants,
  width,
  unused,
];

const usage = `Usage: npm run check
  inspects the repository by these rules and ends with exit code 1 where one fails:
${rules.map(({ name }) => `  - ${name}\n`).join('')}`;

await runCommand({ usage, options: {} }, async () => {
  const repository = await openRepository(join(import.meta.dirname, '../..'));
  const failed = await runRules(rules, repository, (text) => process.stdout.write(text));
  process.stdout.write(
    failed === 0
      ? `all ${rules.length} rules hold\n`
      : `${failed} of ${rules.length} rules failed\n`,
  );
  return failed === 0 ? 0 : 1;
});
