import { Admin, type Consumer } from '@platformatic/kafka';
import { within } from '../process/deadline.ts';
import type { KafkaConnection } from './config.ts';

const lookWithinMs = 5_000;

/**
 * The place of a static member is no longer its own: another process has taken it, or its session
 * has passed.
 */
export class MembershipLost extends Error {
  constructor(groupInstanceId: string) {
    super(`The place of KAFKA_GROUP_INSTANCE_ID=${groupInstanceId} in the group is lost.`);
    this.name = 'MembershipLost';
  }
}

/**
 * Calls `onLost` instead of letting the client join again. The client drops its member id when
 * Kafka does not know it any more, and then takes the place back from whoever has it, who does the
 * same: two processes with one name would throw each other out every second.
 */
export function endWhenReplaced(consumer: Consumer, onLost: () => void): void {
  let memberId = consumer.memberId;
  Object.defineProperty(consumer, 'memberId', {
    get: () => memberId,
    set(next: string | null) {
      const isLost = memberId !== null && next === null;
      memberId = next;
      if (isLost) onLost();
    },
  });
}

/**
 * Ends the client, but not the membership: Kafka keeps the place and its partitions for whoever
 * comes with the same name within the session. The client takes leave only where it has a member
 * id, and stops its heartbeats only with a call that takes leave.
 */
export async function closeWithoutLeaving(consumer: Consumer): Promise<void> {
  consumer.memberId = null;
  await Promise.all([consumer.leaveGroup(true), consumer.close(true)]);
}

/**
 * Whether another process holds the place in the group. Rejects when Kafka cannot be asked within 5
 * s.
 */
export async function isPlaceTaken(place: {
  connection: KafkaConnection;
  clientId: string;
  group: string;
  groupInstanceId: string;
}): Promise<boolean> {
  const { connection, clientId, group, groupInstanceId } = place;
  const admin = new Admin({
    ...connection,
    clientId,
    connectTimeout: 1_500,
    requestTimeout: 3_000,
    retries: 1,
  });
  try {
    const groups = await within(
      lookWithinMs,
      'Asking for the group',
      admin.describeGroups({ groups: [group] }),
    );
    const members = [...(groups.get(group)?.members.values() ?? [])];
    return members.some((member) => member.groupInstanceId === groupInstanceId);
  } finally {
    await admin.close();
  }
}
