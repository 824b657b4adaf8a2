// Loaded by `npm test` into the process that runs the tests and into each test process. Node's
// runner waits for ever for a file that leaves a server, a connection or a timer behind: this ends
// it and says what was left. And a run that is interrupted leaves neither servers nor files.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'node:test';

/**
 * How long a process may live after its last test. Covers clean-up (`t.after` runs after this hook)
 * on a busy machine.
 */
const graceMs = Number(process.env.TEST_LEAK_GRACE_MS ?? 60_000);

// The process that starts the others has no tests of its own.
if (process.env.NODE_TEST_CONTEXT !== undefined) {
  let running = 0;
  let timer: NodeJS.Timeout | undefined;
  beforeEach(() => {
    running += 1;
    clearTimeout(timer);
  });
  afterEach(() => {
    running -= 1;
    if (running === 0) timer = setTimeout(endLeakingProcess, graceMs).unref();
  });
} else if (process.platform === 'linux') {
  cleanUpAfterRun();
}

/** All temporary directories of the run lie in one, which goes when this process does. */
function cleanUpAfterRun(): void {
  const directory = mkdtempSync(join(tmpdir(), 'orders-tests-'));
  // The embedded PostgreSQL may run as another user.
  chmodSync(directory, 0o711);
  process.env.TMPDIR = directory;
  const program = join(import.meta.dirname, 'clean-up-after-tests.ts');
  const cleaner = spawn(process.execPath, [program, directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  cleaner.unref();
  (cleaner.stdin as Socket).unref();
}

function endLeakingProcess(): void {
  const left = process.getActiveResourcesInfo().join(', ');
  process.stderr.write(`The tests ended ${graceMs} ms ago, but something was left open: ${left}\n`);
  process.exit(1);
}
