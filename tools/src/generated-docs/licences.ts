import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

type Entry = {
  version?: string;
  license?: string;
  dev?: boolean;
  optional?: boolean;
  link?: boolean;
};

/**
 * docs/licences.md: every package that is installed with `npm ci --omit=dev`, from the lockfile.
 */
export async function licencesPage(): Promise<string> {
  const { stdout } = await run('git', ['rev-parse', '--show-toplevel']);
  const lock = JSON.parse(await readFile(`${stdout.trim()}/package-lock.json`, 'utf8')) as {
    packages: Record<string, Entry>;
  };
  const shipped = Object.entries(lock.packages)
    .filter(([path, { dev, link }]) => path.includes('node_modules/') && !dev && !link)
    .map(([path, entry]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 13),
      ...entry,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const counts = new Map<string, number>();
  for (const { license = 'unknown' } of shipped)
    counts.set(license, (counts.get(license) ?? 0) + 1);
  const summary = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([license, count]) => `${license} ${count}`);
  const rows = shipped.map(
    (one) => `| ${one.name} | ${one.version ?? ''} | ${one.license ?? 'unknown'} |`,
  );
  return `# Licences of what ships

Every package that \`npm ci --omit=dev\` installs, made from the lockfile by \`npm run docs\`. ${shipped.length} packages: ${summary.join(', ')}.
The product itself is under Apache-2.0 ([LICENSE](../LICENSE)).

| package | version | licence |
|---|---|---|
${rows.join('\n')}
`;
}
