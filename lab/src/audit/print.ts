import { type AuditReport, type Finding, findingKinds } from './report.ts';

const idsShown = 20;
type Line = [label: string, count: number | string, note: string];

/**
 * The report as a person reads it: a table of the stations, the findings with up to 20 ids each,
 * and the verdict.
 */
export function toText(report: AuditReport): string {
  const { stations, topics, counts, suspects, seconds } = report;
  const lines: Line[] = [
    ['orders', stations.orders, byName(stations.ordersByStatus)],
    ['  events unpublished', stations.orderEventsUnpublished, ''],
    ['  idempotency keys', stations.idempotencyKeys, ''],
    ['filed', stations.fulfillments, byName(stations.fulfillmentsByState)],
    ['  events unpublished', stations.fulfillmentEventsUnpublished, ''],
    ['  projected', stations.projected, ''],
    ['  foreign', stations.foreign, ''],
    [
      'bookings',
      stations.bookings ?? 'unknown',
      stations.booked === null ? '' : `of ${stations.booked} orders`,
    ],
    [
      'dead letters',
      stations.deadLetters,
      stations.deadLettersUnpublished > 0 ? `${stations.deadLettersUnpublished} unpublished` : '',
    ],
    ...topics.map(
      ({ topic, group, lag, partitions }): Line => [
        `lag of ${topic}`,
        lag,
        lagging(group, partitions),
      ],
    ),
    ...topics.map(
      ({ topic, deadLetterRecords }): Line => [`records of ${topic}.dlq`, deadLetterRecords, ''],
    ),
    ['read again', suspects, 'orders that looked wrong at first'],
    ...findingKinds.map((kind): Line => [kind, counts[kind], '']),
  ];
  const blocks = [
    table(lines),
    ...findingBlocks(report.findings),
    ...report.notes.map((note) => `note: ${note}`),
    verdict(report),
  ];
  return `${blocks.join('\n')} (${report.mode}, ${seconds.toFixed(1)} s)\n`;
}

function verdict({ ok, findings, suspectsLeftOut, stations }: AuditReport): string {
  if (ok)
    return `OK: ${stations.orders} orders, nothing lost, doubled, orphaned, contradictory or stuck`;
  const rest =
    suspectsLeftOut === 0 ? '' : `; ${suspectsLeftOut} more suspects were not read again`;
  return `FAILED: ${findings.length} findings${rest}`;
}

function findingBlocks(findings: Finding[]): string[] {
  const groups = Map.groupBy(findings, ({ kind, name }) => `${kind}: ${name}`);
  return [...groups].map(([title, group]) => {
    const shown = group.slice(0, idsShown).map(({ orderId, detail }) => `  ${orderId}  ${detail}`);
    const rest =
      group.length > idsShown ? [`  and ${group.length - idsShown} more; --json FILE has all`] : [];
    return [`${title} ${group.length}`, ...shown, ...rest].join('\n');
  });
}

const byName = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');

function lagging(group: string, partitions: AuditReport['topics'][number]['partitions']): string {
  const behind = partitions
    .filter(({ lag }) => lag > 0)
    .map(({ partition, lag }) => `${partition}: ${lag}`);
  return `group ${group}${behind.length === 0 ? '' : `, partition ${behind.join(', ')}`}`;
}

function table(lines: Line[]): string {
  const labelWidth = Math.max(...lines.map(([label]) => label.length));
  const countWidth = Math.max(...lines.map(([, count]) => String(count).length));
  return lines
    .map(([label, count, note]) =>
      `${label.padEnd(labelWidth)}  ${String(count).padStart(countWidth)}  ${note}`.trimEnd(),
    )
    .join('\n');
}
