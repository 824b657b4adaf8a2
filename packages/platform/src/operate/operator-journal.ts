import { operatorHeader, type Replay, ReplayPage } from '@orders/contracts/operate/actions';
import { problems } from '@orders/contracts/problem';
import type { HttpServer } from '../http/server.ts';
import type { Database } from '../postgres/database.ts';
import { storeRead } from '../postgres/database.ts';

export { operatorHeader };

/**
 * What operators did to a service's data: every route that changes something records it here, in
 * the same statement where it can.
 */
export function createReplays(database: Database) {
  return {
    /** Records one action with what was asked and what came of it. */
    async record(replay: Omit<Replay, 'id' | 'at'>): Promise<void> {
      const { operator, action, reason, request, result } = replay;
      await database.query(recordStatement, [
        operator,
        action,
        reason,
        JSON.stringify(request),
        JSON.stringify(result),
      ]);
    },
    /** The newest `limit` records. */
    async newest(limit: number): Promise<Replay[]> {
      const rows = await database.query<Omit<Replay, 'at'> & { at: Date }>(newestStatement, [
        limit,
      ]);
      return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
    },
  };
}

export type Replays = ReturnType<typeof createReplays>;

/** Adds GET /api/replays. */
export function addReplayRoutes(app: HttpServer, replays: Replays): void {
  app.get('/api/replays', {
    config: { scope: 'operate' },
    schema: {
      tags: ['operators'],
      summary: 'What operators did, newest first, at most 200',
      response: { 200: ReplayPage, ...problems(503) },
    },
    handler: async () => ({ items: await storeRead(() => replays.newest(200)) }),
  });
}

const recordStatement = {
  name: 'replay-record',
  text: 'INSERT INTO replays (operator, action, reason, request, result) VALUES ($1, $2, $3, $4, $5)',
};

const newestStatement = {
  name: 'replay-newest',
  text: 'SELECT id, at, operator, action, reason, request, result FROM replays ORDER BY id DESC LIMIT $1',
};
