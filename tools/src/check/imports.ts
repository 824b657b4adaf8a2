import { runNodeProgram } from './program.ts';
import type { Rule, Verdict } from './rule.ts';

const cruiser = 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs';
const workspaces = ['packages', 'services', 'embedded', 'lab', 'system-tests', 'tools'];

/** The part of dependency-cruiser's JSON report that is read here. */
export interface CruiseReport {
  modules: { source: string }[];
  summary: {
    violations: {
      from: string;
      to: string;
      rule: { name: string; severity: string };
      cycle?: { name: string }[];
    }[];
  };
}

export const imports: Rule = {
  name: 'import directions (dependency-cruiser)',
  async inspect({ root, files }) {
    const present = workspaces.filter((folder) =>
      files.some((path) => path.startsWith(`${folder}/`)),
    );
    const args = ['--config', '.dependency-cruiser.mjs', '--output-type', 'json', ...present];
    const { exitCode, stdout, stderr } = await runNodeProgram(root, cruiser, args);
    // The exit code is the number of violations; without a report the program itself has failed.
    if (!stdout.startsWith('{'))
      return { problems: [`exit code ${exitCode}: ${stdout}${stderr}`], notes: [] };
    return judgeCruise(JSON.parse(stdout), files);
  },
};

/**
 * Violations, and every source file that was not looked at: a cruiser without a TypeScript parser
 * passes silently.
 */
export function judgeCruise(report: CruiseReport, files: readonly string[]): Verdict {
  const violations = report.summary.violations.map(({ from, to, rule, cycle }) => {
    const way = cycle === undefined ? [to] : cycle.map((step) => step.name);
    return way.join() === from
      ? `${from}: ${rule.name}`
      : `${from}: ${rule.name}: imports ${way.join(' -> ')}`;
  });
  const cruised = new Set(report.modules.map((module) => module.source));
  const unseen = files.filter((path) => /\/src\/.*\.ts$/.test(path) && !cruised.has(path));
  return {
    problems: [...violations, ...unseen.map((path) => `${path}: was not cruised`)],
    notes: [],
  };
}
