import { type Repository, readEach } from './repository.ts';
import type { Rule, Verdict } from './rule.ts';

const linesMax = 340;
const linesNoted = 200;
const readmeLinesMax = 150;

export const fileSizes: Rule = {
  name: `file sizes (at most ${linesMax} lines, README ${readmeLinesMax})`,
  async inspect(repository: Repository): Promise<Verdict> {
    const verdict: Verdict = { problems: [], notes: [] };
    await readEach(
      repository,
      (path) => /\.(ts|tsx|sql)$/.test(path) || path === 'README.md',
      (path, text) => {
        const lines = text.replace(/\n$/, '').split('\n').length;
        const limit = path === 'README.md' ? readmeLinesMax : linesMax;
        if (lines > limit)
          verdict.problems.push(`${path}: ${lines} lines, at most ${limit} are allowed`);
        else if (path !== 'README.md' && lines > linesNoted)
          verdict.notes.push(`${path}: ${lines} lines`);
      },
    );
    return verdict;
  },
};
