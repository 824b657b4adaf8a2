import { isUtf8 } from 'node:buffer';
import type { OperatorAction } from '@orders/contracts/operate/actions';
import type {
  DeadLetterDetail,
  DeadLetterEntry,
  DeadLetterPage,
  DeadLetterQuery,
} from '@orders/contracts/operate/dead-letters';
import { parameterError } from '../http/request-validation.ts';
import type { IncomingEvent } from '../messaging/broker.ts';
import type { Database } from '../postgres/database.ts';
import { insertAction } from './operator-journal.ts';

export type ResolutionKind = 'replayed' | 'corrected' | 'discarded';
/** A dead letter as its station saw it, and as people see it. */
export type KeptLetter = { event: IncomingEvent; detail: DeadLetterDetail };

/** The rows that `deadLetterParts` writes, for operators. An id is `topic:partition:offset`. */
export function createDeadLetterStore(database: Database) {
  return {
    /** Newest first, by keyset. */
    async page({
      resolved,
      limit,
      ...query
    }: Omit<DeadLetterQuery, 'topic'>): Promise<DeadLetterPage> {
      const before = query.pageToken === undefined ? newest : fromToken(query.pageToken);
      const which = resolved === undefined ? 'all' : resolved ? 'resolved' : 'open';
      const rows = await database.query<EntryRow>(pageStatements[which], [...before, limit + 1]);
      const items = rows.slice(0, limit).map(toEntry);
      const last = rows[limit - 1];
      return { items, nextPageToken: rows.length > limit && last ? toToken(last) : null };
    },
    async one(id: string): Promise<KeptLetter | undefined> {
      const place = placeOf(id);
      if (place === undefined) return undefined;
      const [row] = await database.query<DetailRow>(oneStatement, place);
      return row === undefined ? undefined : toKept(row);
    },
    /**
     * Records what an operator decided, and the action, in one statement. Resolves to false when
     * the letter was resolved before: then nothing changes.
     */
    async resolve(
      id: string,
      kind: ResolutionKind,
      action: Omit<OperatorAction, 'id' | 'at'>,
    ): Promise<boolean> {
      const { operator, reason, request, result } = action;
      const place = placeOf(id);
      if (place === undefined) return false;
      const record = [
        operator,
        action.action,
        reason,
        JSON.stringify(request),
        JSON.stringify(result),
      ];
      return (await database.query(resolveStatement, [...place, kind, ...record])).length > 0;
    },
  };
}

export type DeadLetterStore = ReturnType<typeof createDeadLetterStore>;

type EntryRow = {
  topic: string;
  partition: number;
  offset: string;
  key: string | null;
  reason: string;
  at: Date;
  micros: string;
  size: number;
  resolution: ResolutionKind | null;
  resolvedBy: string | null;
  resolvedAt: Date | null;
  resolvedReason: string | null;
};
type DetailRow = EntryRow & { value: Buffer; headers: Record<string, string> };

function toEntry(row: EntryRow): DeadLetterEntry {
  const { topic, partition, offset, key, reason, at, size, resolution, resolvedAt } = row;
  return {
    id: `${topic}:${partition}:${offset}`,
    topic,
    partition,
    offset,
    key,
    reason,
    at: at.toISOString(),
    sizeBytes: size,
    resolution:
      resolution === null || resolvedAt === null
        ? null
        : {
            kind: resolution,
            operator: row.resolvedBy ?? '',
            at: resolvedAt.toISOString(),
            reason: row.resolvedReason,
          },
  };
}

function toKept(row: DetailRow): KeptLetter {
  const { topic, partition, key, value, headers } = row;
  const encoding = isUtf8(value) ? 'utf8' : 'base64';
  return {
    event: {
      topic,
      partition,
      offset: BigInt(row.offset),
      key: key ?? undefined,
      value,
      headers,
      publishedAt: row.at,
    },
    detail: { ...toEntry(row), encoding, value: value.toString(encoding), headers },
  };
}

/**
 * The place that an id names, or undefined where no broker has such a place: a number too large for
 * its column.
 */
function placeOf(id: string): [topic: string, partition: number, offset: string] | undefined {
  const [topic = '', partition = '', offset = ''] = id.split(':');
  if (Number(partition) > 2 ** 31 - 1 || BigInt(offset) > 2n ** 63n - 1n) return undefined;
  return [topic, Number(partition), offset];
}

type Place = [micros: string, topic: string, partition: number, offset: string];
/**
 * Above every letter: the last microsecond that PostgreSQL's `to_timestamp` is asked for is in the
 * year 9999.
 */
const newest: Place = ['253402300799000000', '', 0, '0'];

const toToken = ({ micros, topic, partition, offset }: EntryRow): string =>
  Buffer.from(JSON.stringify([micros, topic, partition, offset])).toString('base64url');

function fromToken(token: string): Place {
  const text = Buffer.from(token, 'base64url').toString();
  const parts = /^\["(\d{1,17})","([\w.-]{1,249})",(\d{1,9}),"(\d{1,18})"\]$/.exec(text);
  if (parts === null) throw parameterError('pageToken', 'must be the nextPageToken of a page');
  const [, micros = '', topic = '', partition = '', offset = ''] = parts;
  return [micros, topic, Number(partition), offset];
}

const columns = `
  topic, partition, "offset", key, reason, at,
  (extract(epoch FROM at) * 1000000)::bigint AS micros,
  octet_length(value) AS size, resolution, resolved_by AS "resolvedBy", resolved_at AS "resolvedAt",
  resolved_reason AS "resolvedReason"`;

const pageStatement = (name: string, condition: string) => ({
  name: `dead-letter-page-${name}`,
  text: `
    SELECT ${columns} FROM dead_letters
    WHERE (at, topic, partition, "offset")
            < (timestamptz 'epoch' + $1::bigint * interval '1 microsecond',
               $2::text, $3::int, $4::bigint)
      AND ${condition}
    ORDER BY at DESC, topic DESC, partition DESC, "offset" DESC LIMIT $5`,
});

const pageStatements = {
  all: pageStatement('all', 'true'),
  open: pageStatement('open', 'resolution IS NULL'),
  resolved: pageStatement('resolved', 'resolution IS NOT NULL'),
};

const oneStatement = {
  name: 'dead-letter-one',
  text: `SELECT ${columns}, value, headers FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3`,
};

const resolveStatement = {
  name: 'dead-letter-resolve',
  text: `
    WITH resolved AS (
      UPDATE dead_letters
      SET resolution = $4, resolved_by = $5, resolved_at = now(), resolved_reason = $7
      WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND resolution IS NULL
      RETURNING 1)
    ${insertAction({
      operator: '$5',
      action: '$6',
      reason: '$7',
      request: '$8::json',
      result: '$9::json',
      from: 'resolved',
    })}
    RETURNING id`,
};
