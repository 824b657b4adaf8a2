import { posix } from 'node:path';
import { type Repository, readEach, readScripts } from './repository.ts';
import type { Rule } from './rule.ts';

const required = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md'];
const isDocument = (path: string): boolean =>
  required.includes(path) || /^docs\/.*\.md$/.test(path);

export const documents: Rule = {
  name: 'documents (commands, links and named files exist)',
  async inspect(repository: Repository) {
    const problems = required
      .filter((path) => !repository.files.includes(path))
      .map((path) => `${path}: is missing`);
    const scripts = await readScripts(repository);
    const targets = new Set(repository.files.flatMap(withFolders));
    const isMarkdown = (path: string): boolean => path.endsWith('.md') && path !== 'CHANGELOG.md'; // it tells of what was
    await readEach(repository, isMarkdown, (path, text) => {
      for (const name of filesNamedIn(text)) {
        if (!isThere(name, targets)) problems.push(`${path}: names ${name}, which does not exist`);
      }
    });
    await readEach(repository, isDocument, (path, text) => {
      for (const name of commandsIn(text)) {
        if (scripts[name] === undefined)
          problems.push(`${path}: package.json has no script "${name}"`);
      }
      for (const link of relativeLinksIn(text)) {
        const target = posix.join(posix.dirname(path), link).replace(/\/$/, '');
        if (!targets.has(target)) problems.push(`${path}: links to ${link}, which does not exist`);
      }
    });
    return { problems, notes: [] };
  },
};

/** The names of npm scripts that a text tells its reader to run, each once. */
export function commandsIn(text: string): string[] {
  const run = [...text.matchAll(/\bnpm run(?: -s| --silent)* ([a-z][\w:-]*)/g)].map(
    (match) => match[1] ?? '',
  );
  const short = [...text.matchAll(/\bnpm (start|test|stop)\b/g)].map((match) => match[1] ?? '');
  return [...new Set([...run, ...short])];
}

/**
 * Link targets of a markdown text that are neither addresses nor anchors of the same page, without
 * their `#anchor`.
 */
export function relativeLinksIn(markdown: string): string[] {
  const prose = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, '').replace(/`[^`\n]*`/g, '');
  const inline = [...prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)];
  const named = [...prose.matchAll(/^\[[^\]]+\]:\s*<?([^\s>]+)>?/gm)];
  return [...inline, ...named]
    .map((match) => decodeURI(match[1] ?? '').replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z][a-z+.-]*:/i.test(target));
}

const workspaceFolder = /^(?:packages|services|embedded|lab|system-tests|tools|deploy|docs)\//;

/**
 * What stands in code of a markdown text and is the name of one of our files or folders, each once:
 * source and documents by their ending, all else by the workspace that it begins with.
 */
export function filesNamedIn(markdown: string): string[] {
  const code = [...markdown.matchAll(/^(```|~~~)[\s\S]*?^\1|`[^`\n]+`/gm)];
  const words = code.flatMap(([text]) => text.replaceAll('`', ' ').split(/\s+/));
  const paths = words
    .filter((word) => /^[\w@-][\w.@-]*(?:\/[\w.@-]+)*\/?$/.test(word))
    .map((word) => word.replace(/\/$/, ''))
    .filter((word) => /\w\.(?:ts|mjs|sql|md)$/.test(word) || workspaceFolder.test(word));
  return [...new Set(paths)];
}

/** Documents may leave out the beginning of a path and the folder `src`. */
function isThere(name: string, targets: ReadonlySet<string>): boolean {
  if (targets.has(name)) return true;
  const ending = `/${name}`;
  return [...targets].some(
    (path) => path.endsWith(ending) || `/${path.replace('/src/', '/')}`.endsWith(ending),
  );
}

function withFolders(path: string): string[] {
  const folder = posix.dirname(path);
  return folder === '.' ? [path, '.'] : [path, ...withFolders(folder)];
}
