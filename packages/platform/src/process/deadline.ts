/** A wait took longer than its bound; what was waited for goes on and may still come to its end. */
export class DeadlinePassed extends Error {
  constructor(what: string, ms: number) {
    super(`${what} took more than ${Math.round(ms)} ms.`);
    this.name = 'DeadlinePassed';
  }
}

/**
 * Settles as `work` does, but rejects with DeadlinePassed after `ms`; what `work` comes to after
 * that is dropped.
 */
export function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new DeadlinePassed(what, ms)), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
