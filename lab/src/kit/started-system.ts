import { after, type TestContext } from 'node:test';
import { afterFailure, hasPassed } from './after-failure.ts';
import { createSystem, type System } from './system.ts';

/**
 * A system for one test, not started yet; removed after it. Where the test fails, the end of the
 * system's log is printed.
 */
export async function systemFor(t: TestContext, env: Record<string, string> = {}): Promise<System> {
  const system = await createSystem(env);
  t.after(async () => {
    if (!hasPassed(t)) printLog(system);
    await system.remove();
  });
  return system;
}

/**
 * The same, started and ready: for one test (`t`), or, without it, for all tests of the file that
 * calls it.
 */
export async function startSystem(
  options: { t?: TestContext; env?: Record<string, string> } = {},
): Promise<System> {
  const { t, env = {} } = options;
  const system = t === undefined ? await systemForAll(env) : await systemFor(t, env);
  try {
    await system.start();
  } catch (error) {
    // The hooks of a file whose own code throws are not run.
    await system.remove();
    throw error;
  }
  return system;
}

async function systemForAll(env: Record<string, string>): Promise<System> {
  const system = await createSystem(env);
  afterFailure(() => printLog(system));
  after(() => system.remove());
  return system;
}

function printLog(system: System): void {
  process.stderr.write(`the last log lines of the system on ${system.url}:\n${system.tail()}\n`);
}
