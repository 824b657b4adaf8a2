import { lookUpsMax } from './ledger.ts';
import type { Stations, TopicReport } from './report.ts';

/** What is no fault by itself and yet worth knowing. */
export function notesOf(
  stations: Stations,
  topics: TopicReport[],
  { hasLedger, isStrict }: { hasLedger: boolean; isStrict: boolean },
): string[] {
  const notes: string[] = [];
  if (!hasLedger) {
    notes.push(
      `The shipping provider has no ledger: only suspects, Failed and Cancelled orders were looked up there (at most ${lookUpsMax}); two bookings of one order would not be seen.`,
    );
  }
  if (stations.foreign > 0 && !isStrict) {
    notes.push(
      `${stations.foreign} fulfillments are of orders that the Order Service does not have (foreign: another producer's); --strict calls them orphaned.`,
    );
  }
  const copies = topics.reduce((sum, { deadLetterRecords }) => sum + deadLetterRecords, 0);
  const published = stations.deadLetters - stations.deadLettersUnpublished;
  if (topics.length > 0 && copies < published) {
    notes.push(
      `${published} dead letters are published but the .dlq topics were given only ${copies} records: they were made again, or these are from a time without Kafka.`,
    );
  }
  return notes;
}
