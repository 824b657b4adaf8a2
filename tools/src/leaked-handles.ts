// Loaded into every test process by `npm test`. Node's runner waits for ever for a file that leaves
// a server, a connection or a timer behind: this ends it and says what was left.
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
}

function endLeakingProcess(): void {
  const left = process.getActiveResourcesInfo().join(', ');
  process.stderr.write(`The tests ended ${graceMs} ms ago, but something was left open: ${left}\n`);
  process.exit(1);
}
