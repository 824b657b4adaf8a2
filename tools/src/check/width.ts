import ts from 'typescript';
import { type Repository, readEach } from './repository.ts';
import type { Rule } from './rule.ts';

const columnsMax = 100;

/**
 * Code, comments and SQL are at most 100 columns wide. Allowed are lines whose text cannot be
 * broken without changing it: one string (a test's name, a message, an address), and the text of a
 * page or picture in a template.
 */
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
  const lines = text.split('\n');
  if (lines.every(({ length }) => length <= columnsMax)) return [];
  const unbreakable = path.endsWith('.sql') ? new Set<number>() : linesOfStrings(path, text);
  return lines.flatMap((line, index) =>
    line.length > columnsMax && !unbreakable.has(index)
      ? [`${path}:${index + 1}: ${line.length} columns, at most ${columnsMax} are allowed`]
      : [],
  );
}

/** The lines that one string fills to their end, and those in a template without SQL. */
function linesOfStrings(path: string, text: string): Set<number> {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found = new Set<number>();
  const visit = (node: ts.Node): void => {
    const isString = ts.isStringLiteral(node) || ts.isRegularExpressionLiteral(node);
    const isTemplate = ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateExpression(node);
    if (isString || (isTemplate && !isSql(node.getText(file)))) {
      const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
      const end = file.getLineAndCharacterOfPosition(node.getEnd());
      for (let line = first; line < end.line; line += 1) found.add(line);
      if (end.character > columnsMax - 30) found.add(end.line);
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

const isSql = (template: string): boolean =>
  template.includes('\n') && /\b(?:SELECT|INSERT INTO|UPDATE|DELETE|FROM|WHERE)\b/.test(template);
