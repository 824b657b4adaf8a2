import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { problemsOf, runNodeProgram } from './program.ts';
import type { Rule } from './rule.ts';

const knip = 'node_modules/knip/bin/knip.js';

/** Exports, files and dependencies that nothing uses. knip.json names the entries. */
export const unused: Rule = {
  name: 'nothing unused (knip)',
  async inspect({ root }) {
    if (!existsSync(join(root, knip)))
      return { problems: [], notes: ['NOT CHECKED: knip is not installed, run npm ci'] };
    const result = await runNodeProgram(root, knip, ['--no-progress', '--no-config-hints']);
    return { problems: problemsOf(result), notes: [] };
  },
};
