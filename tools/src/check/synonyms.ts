import { type Repository, readEach } from './repository.ts';
import type { Rule } from './rule.ts';

type Synonym = { banned: RegExp; instead: string; in: (path: string) => boolean };

// History keeps its words, and this folder names them.
const isOurs = (path: string): boolean =>
  /\.(ts|sql|md|ya?ml)$/.test(path) &&
  !/^(CHANGELOG\.md|docs\/decisions\/|docs\/benchmarks\/|tools\/(src|test)\/check\/)/.test(path);
const isSource = (path: string): boolean => isOurs(path) && /\/src\/.*\.ts$/.test(path);

/** Words that were given up, and the word of docs/glossary.md that is used instead. */
const synonyms: readonly Synonym[] = [
  { banned: /\bheld[ _]back\b/i, instead: 'put off', in: isOurs },
  { banned: /\bapi\/replays\b|\bFROM replays\b/i, instead: 'operator actions', in: isOurs },
  { banned: /\bwatchers?\b/i, instead: 'follower', in: isOurs },
  { banned: /\balarms?\b/i, instead: 'wakeable sleep, or alert', in: isOurs },
  { banned: /\bpatiently\b/i, instead: 'retryWhileUnavailable', in: isOurs },
  { banned: /\bglances?\b/i, instead: 'scan', in: isOurs },
  { banned: /\bstoreRead\b/, instead: 'orUnavailable', in: isOurs },
  { banned: /\bwaits_for_operator\b/, instead: 'awaiting_operator', in: isOurs },
  {
    banned: /'[^'\n]*\b(?:tells?|told|telling)\b[^'\n]*'/,
    instead: 'log, publish, report or notify',
    in: isSource,
  },
];

export const forbiddenSynonyms: Rule = {
  name: 'one word for each thing (docs/glossary.md)',
  async inspect(repository: Repository) {
    const problems: string[] = [];
    await readEach(repository, isOurs, (path, text) => problems.push(...synonymsIn(path, text)));
    return { problems, notes: [] };
  },
};

/** One problem for each line and word that has a better one. */
export function synonymsIn(path: string, text: string): string[] {
  const words = synonyms.filter((word) => word.in(path));
  return text.split('\n').flatMap((line, index) =>
    words.flatMap(({ banned, instead }) => {
      const found = banned.exec(line)?.[0];
      return found === undefined
        ? []
        : [`${path}:${index + 1}: "${found.slice(0, 60)}": the word is ${instead}`];
    }),
  );
}
