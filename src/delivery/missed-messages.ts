import { powerLevels } from '../protocol/auth/index.ts';
import type { Event } from '../protocol/event/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { ENCRYPTED_EVENT_RULE_ID, evaluatePush, type PushRuleset } from '../protocol/push/index.ts';
import { listRoomsOfUser, type Reading, RoomSight, type StoredEvent } from '../rooms/index.ts';
import type { mailState } from './email-store.ts';
import { isRead } from './notifications.ts';
import { type NotificationRow, notificationsOf, readPositions } from './store.ts';

/** What a user has missed in a room, oldest first. */
export interface MissedRoom {
  readonly roomNid: number;
  readonly events: readonly StoredEvent[];
  readonly isInvite: boolean;
  /** Whether the user has read since the last mail about the room. */
  readonly hasReadSince: boolean;
}

type MailState = NonNullable<Awaited<ReturnType<typeof mailState>>>;

/** Of more than this only the newest are looked at. */
const EVENTS_MAX = 300;

/** What is asked of accounts for it. */
export interface MissedAccounts {
  hidesInvite(userId: UserId, inviter: UserId): Promise<boolean>;
  pushRulesOf(userId: UserId): PushRuleset;
}

/** What notified a user and is neither read nor mailed, by room; and invites that are open. */
export async function missedBy(
  reading: Reading,
  userId: UserId,
  { donePosition, rooms: mailed }: MailState,
  { hidesInvite, pushRulesOf }: MissedAccounts,
): Promise<readonly MissedRoom[]> {
  const rules = pushRulesOf(userId);
  const { database, events, states, accounts } = reading;
  const asked = { userId, after: donePosition, before: Number.MAX_SAFE_INTEGER, limit: EVENTS_MAX };
  const statement = await database.read(async (tx) => notificationsOf(tx, { ...asked, onlyHighlights: false }));
  const rows = (await database.readAside(statement.sql, statement.parameters)) as readonly NotificationRow[]; // the row's type is the builder's word
  const ignored = await accounts.ignoredUsers(userId);
  return database.read(async (tx) => {
    const known = [...new Set([...rows.map((row) => row.room_nid), ...mailed.keys()])];
    const read = await readPositions(tx, userId, known);
    const missed = new Map<number, StoredEvent[]>();
    const sights = new Map<number, RoomSight>();
    for (const row of [...rows].reverse()) {
      if (row.position <= (mailed.get(row.room_nid)?.mailed_position ?? 0) || isRead(read, row)) continue;
      const [stored] = await events.byNids(tx, [row.nid]);
      if (stored === undefined || ignored.has(stored.event.sender)) continue;
      if (isForClientsOnly(rules, userId, stored.event)) continue;
      const sight = sights.get(row.room_nid) ?? new RoomSight(states, userId, { kind: 'joined' });
      sights.set(row.room_nid, sight);
      if ((await sight.visible(tx, [stored])).length === 0) continue;
      missed.set(row.room_nid, [...(missed.get(row.room_nid) ?? []), stored]);
    }
    const found: MissedRoom[] = [...missed].map(([roomNid, list]) => {
      const before = mailed.get(roomNid)?.mailed_position ?? 0;
      const hasReadSince = isRead(read, { room_nid: roomNid, position: before, thread_root: null });
      return { roomNid, events: list, isInvite: false, hasReadSince };
    });
    for (const row of await listRoomsOfUser(tx, userId)) {
      if (row.membership !== 'invite' || ignored.has(row.sender)) continue;
      const [stored] = await events.byNids(tx, [row.event_nid]);
      const isNew = row.position > Math.max(donePosition, mailed.get(row.room_nid)?.mailed_position ?? 0);
      if (stored === undefined || !isNew || (await hidesInvite(userId, row.sender))) continue;
      found.push({ roomNid: row.room_nid, events: [stored], isInvite: true, hasReadSince: false });
    }
    return found;
  });
}

/** Whether an event notifies only so that clients decrypt it and judge themselves, which a mail can't. MSC4028 */
function isForClientsOnly(rules: PushRuleset, userId: UserId, event: Event): boolean {
  if (event.type !== 'm.room.encrypted') return false;
  const override = rules.override.filter((rule) => rule.rule_id !== ENCRYPTED_EVENT_RULE_ID);
  if (override.length === rules.override.length) return false;
  // How many are in the room changes the sound at most.
  const context = { userId, memberCount: 1, powerLevels: powerLevels({ get: () => undefined }, event.rules) };
  return !evaluatePush({ ...rules, override }, event, context).notify;
}
