import { performance } from 'node:perf_hooks';
import type { Repository } from './repository.ts';

/**
 * What a rule found: problems fail the check, notes are only printed. One line each, starting with
 * the place.
 */
export interface Verdict {
  problems: string[];
  notes: string[];
}

export interface Rule {
  name: string;
  inspect(repository: Repository): Promise<Verdict>;
}

/**
 * Runs all rules at once and writes one line per rule, in the order given, with its problems and
 * notes below it. Resolves with the number of rules that failed; a rule that throws has failed.
 */
export async function runRules(
  rules: readonly Rule[],
  repository: Repository,
  write: (text: string) => void,
): Promise<number> {
  let failed = 0;
  for (const running of rules.map((rule) => runRule(rule, repository))) {
    const { name, seconds, verdict } = await running;
    if (verdict.problems.length > 0) failed += 1;
    write(`${verdict.problems.length > 0 ? 'FAIL' : 'ok  '} ${name} (${seconds.toFixed(1)} s)\n`);
    for (const problem of verdict.problems) write(indent(problem));
    for (const note of verdict.notes) write(indent(`note: ${note}`));
  }
  return failed;
}

async function runRule(
  rule: Rule,
  repository: Repository,
): Promise<{ name: string; seconds: number; verdict: Verdict }> {
  const begun = performance.now();
  const verdict = await rule.inspect(repository).catch((error: unknown): Verdict => {
    return {
      problems: [
        `the rule itself failed: ${error instanceof Error ? error.message : String(error)}`,
      ],
      notes: [],
    };
  });
  return { name: rule.name, seconds: (performance.now() - begun) / 1000, verdict };
}

function indent(text: string): string {
  return `${text.trimEnd().replace(/^/gm, '       ')}\n`;
}
