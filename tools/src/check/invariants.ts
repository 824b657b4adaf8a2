import { type Repository, readEach } from './repository.ts';
import type { Rule } from './rule.ts';

const page = 'ARCHITECTURE.md';
// The tools' own files give examples.
const isSource = (path: string): boolean => /^(?!tools\/).*(?:\/src\/.*\.ts|\.sql)$/.test(path);
const isTest = (path: string): boolean => /^(?!tools\/).*\/test\/.*\.ts$/.test(path);

/** The numbers in a text that `pattern` finds, such as 4 in "I4: the attempt is on record". */
const numbersIn = (text: string, pattern: RegExp): number[] =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

/**
 * Every invariant of ARCHITECTURE.md is cited at a line of source that keeps it and in the name of
 * a test that would catch its loss; nothing else is cited.
 */
export const invariants: Rule = {
  name: 'invariants (each cited in source and in the name of a test)',
  async inspect(repository: Repository) {
    const known = new Set(numbersIn(await repository.read(page), /^- \*\*I(\d+): /gm));
    const problems: string[] = [];
    const citedIn = async (choose: (path: string) => boolean, pattern: RegExp) => {
      const cited = new Set<number>();
      await readEach(repository, choose, (path, text) => {
        for (const number of numbersIn(text, pattern)) {
          cited.add(number);
          if (!known.has(number)) problems.push(`${path}: ${page} has no invariant I${number}`);
        }
      });
      return cited;
    };
    const inSource = await citedIn(isSource, /(?<=(?:\/\/|\*|--) .*)\bI(\d+): /g);
    const inTests = await citedIn(isTest, /['"`]I(\d+): /g);
    for (const number of known) {
      if (!inSource.has(number)) problems.push(`${page}: no source cites I${number}`);
      if (!inTests.has(number)) problems.push(`${page}: no test is named after I${number}`);
    }
    if (known.size === 0) problems.push(`${page}: has no invariants`);
    return { problems, notes: [] };
  },
};
