/** The tables of pushers and of what is on its way to them. */
import type { Generated, Selectable } from 'kysely';
import type { EventId, UserId } from '../protocol/ids/index.ts';
import {
  bulkInsert,
  idColumn,
  idList,
  type Migrations,
  type ReadTx,
  type Tables,
  type WriteTx,
} from '../storage/index.ts';
import { deleteMailStates } from './email-store.ts';

declare module '../storage/tables.ts' {
  interface Tables {
    pushers: {
      readonly pusher_id: Generated<number>;
      readonly user_id: UserId;
      /** The device that set it; it goes when the device does. */
      readonly device_id: string | null;
      readonly app_id: string;
      readonly pushkey: string;
      readonly kind: string;
      readonly app_display_name: string;
      readonly device_display_name: string;
      readonly profile_tag: string | null;
      readonly lang: string;
      /** JSON object, `url` included. */
      readonly data: string;
      /** 0: set, but switched off (MSC3881). */
      readonly enabled: number;
      readonly set_ts: number;
    };
    push_queue: {
      readonly queue_id: Generated<number>;
      readonly pusher_id: number;
      /** Null: only the counts have changed. */
      readonly event_nid: number | null;
      /** JSON object: the tweaks of the push rule. */
      readonly tweaks: string;
    };
  }
}

export const deliveryMigrations: Migrations = {
  '0600_push_init': {
    async up({ schema }) {
      await schema
        .createTable('pushers')
        .addColumn('pusher_id', 'integer', idColumn)
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('device_id', 'text')
        .addColumn('app_id', 'text', (c) => c.notNull())
        .addColumn('pushkey', 'text', (c) => c.notNull())
        .addColumn('kind', 'text', (c) => c.notNull())
        .addColumn('app_display_name', 'text', (c) => c.notNull())
        .addColumn('device_display_name', 'text', (c) => c.notNull())
        .addColumn('profile_tag', 'text')
        .addColumn('lang', 'text', (c) => c.notNull())
        .addColumn('data', 'text', (c) => c.notNull())
        .addColumn('enabled', 'integer', (c) => c.notNull())
        .addColumn('set_ts', 'integer', (c) => c.notNull())
        .addUniqueConstraint('pushers_key', ['app_id', 'pushkey', 'user_id'])
        .execute();
      await schema.createIndex('pushers_user').on('pushers').column('user_id').execute();
      await schema
        .createTable('push_queue')
        .addColumn('queue_id', 'integer', idColumn)
        .addColumn('pusher_id', 'integer', (c) => c.notNull())
        .addColumn('event_nid', 'integer')
        .addColumn('tweaks', 'text', (c) => c.notNull())
        .execute();
      await schema.createIndex('push_queue_pusher').on('push_queue').column('pusher_id').execute();
    },
  },
};

export type PusherRow = Selectable<Tables['pushers']>;

export type QueueRow = Selectable<Tables['push_queue']>;

export function listPushers(tx: ReadTx): Promise<readonly PusherRow[]> {
  return tx.db.selectFrom('pushers').selectAll().execute();
}

export function findPusher(tx: ReadTx, pusherId: number): Promise<PusherRow | undefined> {
  return tx.db.selectFrom('pushers').selectAll().where('pusher_id', '=', pusherId).executeTakeFirst();
}

/** Adds a pusher, or replaces that of the same user, app and key. Returns its row. */
export async function putPusher(tx: WriteTx, row: Omit<PusherRow, 'pusher_id'>): Promise<PusherRow> {
  const { user_id: _user, app_id: _app, pushkey: _key, ...values } = row;
  return tx.db
    .insertInto('pushers')
    .values(row)
    .onConflict((conflict) => conflict.columns(['app_id', 'pushkey', 'user_id']).doUpdateSet(values))
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** Deletes pushers with what waits for them. */
export async function deletePushers(tx: WriteTx, pusherIds: readonly number[]): Promise<void> {
  await tx.db.deleteFrom('push_queue').where('pusher_id', 'in', idList(pusherIds)).execute();
  await deleteMailStates(tx, pusherIds);
  await tx.db.deleteFrom('pushers').where('pusher_id', 'in', idList(pusherIds)).execute();
}

export async function addToQueue(tx: WriteTx, rows: readonly Omit<QueueRow, 'queue_id'>[]): Promise<void> {
  await bulkInsert(tx, 'push_queue', rows);
}

/** What waits for a pusher, in the order in which it happened. */
export function queueOf(tx: ReadTx, pusherId: number): Promise<readonly QueueRow[]> {
  return tx.db.selectFrom('push_queue').selectAll().where('pusher_id', '=', pusherId).orderBy('queue_id').execute();
}

export async function deleteFromQueue(tx: WriteTx, queueIds: readonly number[]): Promise<void> {
  await tx.db.deleteFrom('push_queue').where('queue_id', 'in', idList(queueIds)).execute();
}

/** An event as it may notify. */
export interface NotifyingEvent {
  readonly nid: number;
  readonly position: number;
  readonly roomNid: number;
}

/** Events after `from` up to `to` that may notify somebody: by the default rules, by somebody's own, or as invites. */
export async function notifyingEvents(
  tx: ReadTx,
  from: number,
  to: number,
  limit: number,
): Promise<readonly NotifyingEvent[]> {
  const rows = await tx.db
    .selectFrom('events')
    .select(['nid', 'position', 'room_nid'])
    .where('position', '>', from)
    .where('position', '<=', to)
    .where((eb) =>
      eb.or([
        eb('unread', '>', 0),
        eb('type', '=', 'm.room.member'),
        eb.exists(
          eb
            .selectFrom('notifications')
            .select('notifications.event_nid')
            .whereRef('notifications.event_nid', '=', 'events.nid')
            .where('notifications.notify', '=', 1),
        ),
      ]),
    )
    .orderBy('position')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ nid: row.nid, position: row.position ?? 0, roomNid: row.room_nid }));
}

/** The users with pushers who are in a room. */
export async function pushedMembers(tx: ReadTx, roomNid: number): Promise<readonly UserId[]> {
  const rows = await tx.db
    .selectFrom('memberships')
    .innerJoin('pushers', 'pushers.user_id', 'memberships.user_id')
    .select('memberships.user_id')
    .distinct()
    .where('memberships.room_nid', '=', roomNid)
    .where('memberships.membership', '=', 'join')
    .where('pushers.enabled', '=', 1)
    .execute();
  return rows.map((row) => row.user_id);
}

/** What an event does to single users, by user. */
export async function ownVerdicts(tx: ReadTx, eventNid: number) {
  const rows = await tx.db
    .selectFrom('notifications')
    .select(['user_id', 'notify', 'highlight', 'actions'])
    .where('event_nid', '=', eventNid)
    .execute();
  return new Map(rows.map((row) => [row.user_id, row]));
}

/** Receipts after `from` up to `to`: who read something. */
export function readersBetween(tx: ReadTx, from: number, to: number, limit: number) {
  return tx.db
    .selectFrom('receipts')
    .select(['user_id', 'position'])
    .where('position', '>', from)
    .where('position', '<=', to)
    .orderBy('position')
    .limit(limit)
    .execute();
}

/** How far a user has read in rooms: the greatest position of a receipt outside of threads, by room. */
export async function readPositions(tx: ReadTx, userId: UserId, roomNids: readonly number[]) {
  const rows = await tx.db
    .selectFrom('receipts')
    .select(['room_nid', 'thread_id', 'event_position'])
    .where('user_id', '=', userId)
    .where('room_nid', 'in', idList(roomNids))
    .execute();
  const positions = new Map<string, number>();
  for (const row of rows) {
    const key = `${row.room_nid}\0${row.thread_id}`;
    positions.set(key, Math.max(positions.get(key) ?? 0, row.event_position));
  }
  return positions;
}

/** What notified a user. */
export interface NotificationRow {
  readonly nid: number;
  readonly position: number;
  readonly room_nid: number;
  readonly thread_root: EventId | null;
  readonly unread: number;
  readonly highlight: number | null;
  readonly actions: string | null;
}

/** The statement that finds what notified a user, the newest first, after and before a position. */
export function notificationsOf(
  tx: ReadTx,
  {
    userId,
    after = 0,
    before,
    limit,
    onlyHighlights,
  }: { userId: UserId; after?: number; before: number; limit: number; onlyHighlights: boolean },
): { readonly sql: string; readonly parameters: readonly unknown[] } {
  return tx.db
    .selectFrom('memberships as m')
    .innerJoin('events as e', 'e.room_nid', 'm.room_nid')
    .leftJoin('notifications as n', (join) =>
      join.on('n.user_id', '=', userId).onRef('n.room_nid', '=', 'e.room_nid').onRef('n.position', '=', 'e.position'),
    )
    .select(['e.nid', 'e.position', 'e.room_nid', 'e.thread_root', 'e.unread', 'n.highlight', 'n.actions'])
    .where('m.user_id', '=', userId)
    .where('m.membership', '=', 'join')
    .where('e.position', '>', after)
    .where('e.position', '<', before)
    .where('e.sender', '!=', userId)
    .where('e.redacted_by', 'is', null)
    .where((eb) => eb.or([eb('n.notify', '=', 1), eb.and([eb('n.notify', 'is', null), eb('e.unread', '>', 0)])]))
    .$if(onlyHighlights, (query) =>
      query.where((eb) =>
        eb.or([eb('n.highlight', '=', 1), eb.and([eb('n.notify', 'is', null), eb('e.unread', '=', 2)])]),
      ),
    )
    .orderBy('e.position', 'desc')
    .limit(limit)
    .compile();
}
