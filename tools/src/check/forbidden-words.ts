import { type Repository, readEach } from './repository.ts';
import type { Rule } from './rule.ts';

interface ForbiddenWord {
  pattern: RegExp;
  why: string;
  in(path: string): boolean;
}

const isText = (path: string): boolean => !/\.(gz|png|jpg|ico|woff2?|ndjson|csv)$/.test(path);
const isTest = (path: string): boolean => /\/test\/.*\.tsx?$/.test(path);

// The brackets around single letters and dots keep the patterns from finding themselves in this
// file.
const words: readonly ForbiddenWord[] = [
  {
    pattern:
      /npmjs[.](?:org|com)|yarnpkg[.]com|npm[.]pkg[.]|npm[.]jsr[.]io|pypi[.]org|pythonhosted[.]org|crates[.]io|repo1?[.]maven|proxy[.]golang/,
    why: "names a package registry's host",
    in: isText,
  },
  {
    pattern: /\bTO[D]O\b|\bFIX[M]E\b/,
    why: 'leaves work behind in a comment',
    in: (path) => isText(path) && path !== 'package-lock.json',
  },
  {
    pattern: /\b(?:test|it|describe|suite)[.](?:only|skip|todo)\b/,
    why: 'leaves tests out',
    in: isTest,
  },
  {
    pattern: /setTimeout a[s] sleep|await new Promise[(][\s\S]{0,80}?\bsetTimeout/,
    why: 'sleeps in a test: await a condition with a bound',
    // What such a test awaits, in a file beside it, may ask again at intervals.
    in: (path) => path.endsWith('.test.ts'),
  },
];

export const forbiddenWords: Rule = {
  name: 'forbidden words',
  async inspect(repository: Repository) {
    const problems: string[] = [];
    await readEach(repository, isText, (path, text) =>
      problems.push(...forbiddenWordsIn(path, text)),
    );
    return { problems, notes: [] };
  },
};

/** One problem for the first place of each forbidden word in the text. */
export function forbiddenWordsIn(path: string, text: string): string[] {
  return words.flatMap((word) => {
    const match = word.in(path) ? word.pattern.exec(text) : null;
    return match === null
      ? []
      : [`${path}:${text.slice(0, match.index).split('\n').length}: ${word.why}`];
  });
}
