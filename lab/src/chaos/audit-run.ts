import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startProgram } from '../kit/program.ts';
import type { Mode } from './fault-kinds.ts';
import type { AuditVerdict } from './round-result.ts';
import type { Subject } from './subject.ts';

const file = 'lab/src/audit/main.ts';
const auditSeconds = 120;
/**
 * Everything is at rest and nobody else produces: what is open is stuck, and what is without an
 * order is an orphan.
 */
const strictly = ['--grace', '1', '--stuck-after', '1', '--strict'];

/** The part of the audit's report that is read here. */
type AuditReport = {
  ok: boolean;
  findings: { kind: string; name: string; orderId: string; detail: string }[];
};

/**
 * Runs `npm run audit` on a subject at rest; `foreign`: orders of another producer, which are no
 * orphans. @throws when it could not look
 */
export async function runAudit(
  mode: Mode,
  { env, directory }: Subject,
  foreign: readonly string[],
): Promise<AuditVerdict> {
  const report = join(directory, 'audit.json');
  const args = ['--mode', mode, ...strictly, '--json', report];
  const program = startProgram(file, { directory, env, args });
  const { code } = await program.untilExit(auditSeconds);
  if (code !== 0 && code !== 1)
    throw new Error(`the audit could not look (exit code ${code}):\n${program.tail()}`);
  const read = JSON.parse(await readFile(report, 'utf8')) as AuditReport;
  const findings = read.findings.filter(
    ({ name, orderId }) => name !== 'fulfillment_without_order' || !foreign.includes(orderId),
  );
  const isAllKnown = read.findings.length > 0 && findings.length === 0;
  if (isAllKnown || (read.ok && code === 0)) return 'clean';
  return [
    `exit code ${code}`,
    ...findings.map(({ kind, name, orderId, detail }) => `${kind} ${name} ${orderId}: ${detail}`),
  ];
}
