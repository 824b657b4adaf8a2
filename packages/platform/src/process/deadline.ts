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

const ticks = 10;

/**
 * As `within`, but a time in which this process itself stood still counts as a tenth of `ms` at
 * most: an answer that came meanwhile is read before the deadline passes.
 */
export function withinOwnTime<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let left = ticks;
    const timer = setInterval(() => {
      left -= 1;
      if (left > 0) return;
      clearInterval(timer);
      reject(new DeadlinePassed(what, ms));
    }, ms / ticks);
    work.then(resolve, reject).finally(() => clearInterval(timer));
  });
}
