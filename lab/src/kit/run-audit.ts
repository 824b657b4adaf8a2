import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startProgram } from './program.ts';

/** The part of the report of `npm run audit -- --json` that tests look at. */
type Audited = {
  ok: boolean;
  mode: string;
  ledger: string;
  stations: Record<string, number | null>;
  topics: { topic: string; lag: number; deadLetterRecords: number }[];
  suspects: number;
  counts: Record<string, number>;
  findings: { kind: string; name: string; orderId: string; detail: string }[];
};

const seconds = 120;

/** Runs the audit as a process of its own; `report` is undefined where it could not look. */
export async function runAudit(options: {
  directory: string;
  env: Record<string, string>;
  args?: string[];
}) {
  const { directory, env, args = [] } = options;
  const folder = await mkdtemp(join(directory, 'audit-'));
  const file = join(folder, 'report.json');
  try {
    const program = startProgram('lab/src/audit/main.ts', {
      directory,
      env,
      args: ['--json', file, ...args],
    });
    const { code } = await program.untilExit(seconds);
    const report =
      code === 0 || code === 1 ? (JSON.parse(await readFile(file, 'utf8')) as Audited) : undefined;
    return { code, report, text: program.lines.join('\n') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
