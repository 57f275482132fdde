import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx } from '../../storage/index.ts';
import { inStretch, type Stretch } from '../store/index.ts';
import type { NotificationsTable } from '../store/tables.ts';
import type { CountedEvent } from './unread-fold.ts';

/** An event as it is counted, with what identifies it. */
export interface CountedRow extends CountedEvent {
  readonly nid: number;
  readonly isRedaction: boolean;
}

/**
 * What matters of a room's events for counting, oldest first, of more than the limit the newest; events that do nothing to
 * counts may be missing.
 */
export async function listCounted(tx: ReadTx, range: Stretch): Promise<readonly CountedRow[]> {
  const rows = await tx.run(newestFirst, range);
  const events: CountedRow[] = [];
  for (let index = rows.length - 1; index >= 0; index--) {
    const row = rows[index];
    if (row === undefined) continue;
    events.push({
      nid: row.nid,
      position: row.position ?? 0,
      sender: row.sender,
      threadRoot: row.thread_root ?? undefined,
      unread: row.unread,
      isRedacted: row.redacted_by !== null,
      isRedaction: row.type === 'm.room.redaction',
      showsPresence: row.type !== 'm.room.member',
    });
  }
  return events;
}

type VerdictRow = Pick<NotificationsTable, 'user_id' | 'position' | 'event_nid' | 'notify' | 'highlight'>;

/** A user's own verdicts on a stretch of a room. */
export async function listOwnVerdicts(
  tx: ReadTx,
  userId: UserId,
  { roomNid, after, upTo }: Omit<Stretch, 'limit'>,
): Promise<readonly VerdictRow[]> {
  return tx.run(verdictsOfUser, { userId, roomNid, after, upTo });
}

/** All users' own verdicts on some events. */
export async function listVerdictsOn(tx: ReadTx, eventNids: readonly number[]): Promise<readonly VerdictRow[]> {
  return eventNids.length === 0 ? [] : tx.run(verdictsOnEvents, { eventNids });
}

const newestFirst = compiledOnce<Stretch>()((db, p) =>
  db
    .selectFrom('events')
    .select(['nid', 'position', 'sender', 'thread_root', 'unread', 'redacted_by', 'type'])
    .where(inStretch(p))
    .orderBy('position', 'desc')
    .limit(p('limit')),
);

const VERDICT = ['user_id', 'position', 'event_nid', 'notify', 'highlight'] as const;

const verdictsOfUser = compiledOnce<{ userId: UserId; roomNid: number; after: number; upTo: number }>()((db, p) =>
  db
    .selectFrom('notifications')
    .select(VERDICT)
    .where('user_id', '=', p('userId'))
    .where('room_nid', '=', p('roomNid'))
    .where('position', '>', p('after'))
    .where('position', '<=', p('upTo')),
);

const verdictsOnEvents = compiledOnce<{ eventNids: readonly number[] }>()((db, p) =>
  db.selectFrom('notifications').select(VERDICT).where('event_nid', 'in', p.numbers('eventNids')),
);
