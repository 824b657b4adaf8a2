/** Runs a statement, and keeps an eye on how long it takes. */
type Watched = <T>(work: () => Promise<T>) => Promise<T>;

/** Calls `onOverdue` again and again while any statement has been under way for `overdueMs`. */
export function watchStatements(overdueMs: number, onOverdue: () => void): Watched {
  // In the order of their beginning.
  const underWay = new Set<{ since: number }>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    const [oldest] = underWay;
    if (oldest === undefined) {
      clearInterval(timer);
      timer = undefined;
    } else if (performance.now() - oldest.since >= overdueMs) onOverdue();
  }

  return async (work) => {
    const statement = { since: performance.now() };
    underWay.add(statement);
    timer ??= setInterval(look, overdueMs / 2).unref();
    try {
      return await work();
    } finally {
      underWay.delete(statement);
    }
  };
}
