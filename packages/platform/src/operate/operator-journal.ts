import { type OperatorAction, OperatorActionPage } from '@orders/contracts/operate/actions';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '../http/or-unavailable.ts';
import type { HttpServer } from '../http/server.ts';
import type { Database } from '../postgres/database.ts';

/**
 * What operators did to a service's data: every route that changes something records it here, in
 * the same statement where it can.
 */
export function createOperatorJournal(database: Database) {
  return {
    /** The newest `limit` records. */
    async newest(limit: number): Promise<OperatorAction[]> {
      const rows = await database.query<Omit<OperatorAction, 'at'> & { at: Date }>(
        newestStatement,
        [limit],
      );
      return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
    },
  };
}

export type OperatorJournal = ReturnType<typeof createOperatorJournal>;

/** Adds GET /api/operator-actions. */
export function addOperatorJournalRoutes(app: HttpServer, journal: OperatorJournal): void {
  app.get('/api/operator-actions', {
    config: { scope: 'operate' },
    schema: {
      tags: ['operators'],
      summary: 'What operators did, newest first, at most 200',
      response: { 200: OperatorActionPage, ...problems(503) },
    },
    handler: async () => ({ items: await orUnavailable(() => journal.newest(200)) }),
  });
}

/**
 * The part of a statement that records an operator's action. Every route that changes something has
 * it in the statement of the change: neither is committed without the other. The values are SQL;
 * `from` is a query that yields a row only if something was changed.
 */
export function insertAction(action: {
  operator: string;
  action: string;
  reason: string;
  request: string;
  result: string;
  from?: string;
}): string {
  const { operator, reason, request, result, from } = action;
  return `
    INSERT INTO operator_actions (operator, action, reason, request, result)
    SELECT ${operator}, ${action.action}, ${reason}, ${request}, ${result}
    ${from === undefined ? '' : `FROM ${from}`}`;
}

const newestStatement = {
  name: 'operator-actions-newest',
  text: `
    SELECT id, at, operator, action, reason, request, result
    FROM operator_actions
    ORDER BY id DESC
    LIMIT $1`,
};
