import { execFile } from 'node:child_process';

/** Long enough for a cold start on a busy machine; a program that hangs must not hang the check. */
const programTimeoutMs = 300_000;

/**
 * How a program ended. `exitCode` is null where it could not be started, or was ended at the time
 * limit.
 */
export interface ProgramResult {
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs one of the Node programs in `node_modules`, given its path from the root, in `root`. Never
 * rejects.
 */
export function runNodeProgram(
  root: string,
  script: string,
  args: readonly string[],
): Promise<ProgramResult> {
  return new Promise((resolve) => {
    const options = { cwd: root, timeout: programTimeoutMs, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [script, ...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ exitCode: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
      else resolve({ exitCode: null, stdout, stderr: `${stderr}${error.message}` });
    });
  });
}

/** The exit code as the verdict: everything the program printed is the problem. */
export function problemsOf({ exitCode, stdout, stderr }: ProgramResult): string[] {
  if (exitCode === 0) return [];
  const printed = `${stdout}${stderr}`.trim();
  return [printed === '' ? `ended with exit code ${exitCode} and printed nothing` : printed];
}
