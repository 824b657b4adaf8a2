import { afterEach } from 'node:test';

/** Node hands it to hooks; its types do not know it yet. */
export const hasPassed = (context: object): boolean =>
  'passed' in context && context.passed === true;

/** Runs `print` after each test of the calling file that fails. */
export function afterFailure(print: () => void | Promise<void>): void {
  afterEach(async (context) => {
    if (!hasPassed(context)) await print();
  });
}
