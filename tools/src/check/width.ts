import { type Repository, readEach } from './repository.ts';
import type { Rule } from './rule.ts';

const columnsMax = 100;

/**
 * A line that is too long only because of one string that cannot be broken without changing it: a
 * test name, a message, an address. Statements of SQL stand in templates and can be broken.
 */
const isUnbreakable = (line: string): boolean =>
  /^[^'"`]*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`)[^'"`]{0,30}$/.test(line) ||
  /(?:https?|postgres):\/\/\S{40,}/.test(line) ||
  /^\s*\/\/ biome-ignore /.test(line);

export const width: Rule = {
  name: `width (at most ${columnsMax} columns)`,
  async inspect(repository: Repository) {
    const problems: string[] = [];
    await readEach(
      repository,
      (path) => /\.(ts|mjs|sql)$/.test(path),
      (path, text) => problems.push(...tooWideIn(path, text)),
    );
    return { problems, notes: [] };
  },
};

/** One problem for each line that is too wide and could be broken. */
export function tooWideIn(path: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      line.length > columnsMax && !isUnbreakable(line)
        ? [`${path}:${index + 1}: ${line.length} columns, at most ${columnsMax} are allowed`]
        : [],
    );
}
