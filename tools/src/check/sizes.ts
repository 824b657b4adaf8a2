import ts from 'typescript';
import { type Repository, readEach } from './repository.ts';
import type { Rule } from './rule.ts';

const fileLinesMax = 250;
const functionLinesMax = 70;
const readmeLines = { min: 70, max: 100 };

/** What may be larger, and why: a file, or a function as "file#name". */
const exceptions: Record<string, string> = {
  'system-tests/test/kafka-away.e2e.test.ts#a function':
    'one outage from beginning to end: each step needs what the one before has left behind',
  'system-tests/test/kill.e2e.test.ts#a function':
    'one run of kills: what is counted at the end was gathered at every kill',
};

/**
 * Files and functions stay readable on a screen or two. The lines of a function are its own:
 * functions that stand inside it count for themselves.
 */
export const sizes: Rule = {
  name: `sizes (a file ${fileLinesMax} lines, a function ${functionLinesMax}, README ${readmeLines.min} to ${readmeLines.max})`,
  async inspect(repository: Repository) {
    const problems: string[] = [];
    const isMeasured = (path: string): boolean => /\.(ts|mjs|sql)$/.test(path);
    await readEach(repository, isMeasured, (path, text) => {
      const lines = linesOf(text);
      if (lines > fileLinesMax && exceptions[path] === undefined)
        problems.push(`${path}: ${lines} lines, at most ${fileLinesMax} are allowed`);
      if (!/\.(ts|mjs)$/.test(path)) return;
      for (const { name, line, ownLines } of functionsIn(path, text)) {
        if (ownLines <= functionLinesMax || exceptions[`${path}#${name}`] !== undefined) continue;
        problems.push(
          `${path}:${line}: ${name} has ${ownLines} lines, at most ${functionLinesMax} are allowed`,
        );
      }
    });
    await readEach(
      repository,
      (path) => path === 'README.md',
      (path, text) => {
        const lines = linesOf(text);
        if (lines < readmeLines.min || lines > readmeLines.max)
          problems.push(`${path}: ${lines} lines`);
      },
    );
    return { problems, notes: [] };
  },
};

const linesOf = (text: string): number => text.replace(/\n$/, '').split('\n').length;

type MeasuredFunction = { name: string; line: number; ownLines: number };

/** Every function of a TypeScript file that has a body, with the lines that no inner one has. */
function functionsIn(path: string, text: string): MeasuredFunction[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: MeasuredFunction[] = [];
  const lineAt = (position: number): number => file.getLineAndCharacterOfPosition(position).line;

  /** Records the functions below `node`; resolves to how many lines they take from it. */
  function visit(node: ts.Node): number {
    let inner = 0;
    ts.forEachChild(node, (child) => {
      inner += visit(child);
    });
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return inner;
    const first = lineAt(node.getStart(file));
    const lines = lineAt(node.getEnd()) - first + 1;
    found.push({ name: nameOf(node), line: first + 1, ownLines: lines - inner });
    return lines > 1 ? lines : 0;
  }

  visit(file);
  return found;
}

function nameOf(node: ts.SignatureDeclaration): string {
  const owner = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return owner === undefined ? 'a function' : owner.getText();
}
