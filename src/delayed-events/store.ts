/** The table of delayed events: those that wait, and for a while those that don't any more. */
import type { EventId, RoomId, UserId } from '../protocol/ids/index.ts';
import type { Migrations, ReadTx, WriteTx } from '../storage/index.ts';

/** `failed`: it could not be sent when it was time. */
export type DelayedStatus = 'scheduled' | 'sent' | 'cancelled' | 'failed';

declare module '../storage/tables.ts' {
  interface Tables {
    delayed_events: DelayedRow;
  }
}

export interface DelayedRow {
  readonly delay_id: string;
  readonly user_id: UserId;
  /** '' for tokens without a device. With `txn_id` it makes a repeated request known. */
  readonly device_id: string;
  readonly txn_id: string | null;
  readonly room_id: RoomId;
  readonly type: string;
  /** Null: not a state event. */
  readonly state_key: string | null;
  /** JSON object. */
  readonly content: string;
  readonly delay_ms: number;
  readonly sticky_duration_ms: number | null;
  /** When it was scheduled or last restarted. */
  readonly running_since: number;
  readonly send_ts: number;
  readonly status: DelayedStatus;
  /** `action`: a client said so; `delay`: it was time. */
  readonly reason: 'action' | 'delay' | null;
  readonly finalised_ts: number | null;
  readonly event_id: EventId | null;
  /** JSON: the error for which it was not sent. */
  readonly error: string | null;
}

export const delayedEventsMigrations: Migrations = {
  '0730_delayed_events_init': {
    async up({ schema }) {
      await schema
        .createTable('delayed_events')
        .addColumn('delay_id', 'text', (c) => c.primaryKey().notNull())
        .addColumn('user_id', 'text', (c) => c.notNull())
        .addColumn('device_id', 'text', (c) => c.notNull())
        .addColumn('txn_id', 'text')
        .addColumn('room_id', 'text', (c) => c.notNull())
        .addColumn('type', 'text', (c) => c.notNull())
        .addColumn('state_key', 'text')
        .addColumn('content', 'text', (c) => c.notNull())
        .addColumn('delay_ms', 'integer', (c) => c.notNull())
        .addColumn('running_since', 'integer', (c) => c.notNull())
        .addColumn('send_ts', 'integer', (c) => c.notNull())
        .addColumn('status', 'text', (c) => c.notNull())
        .addColumn('reason', 'text')
        .addColumn('finalised_ts', 'integer')
        .addColumn('event_id', 'text')
        .addColumn('error', 'text')
        .execute();
      await schema
        .createIndex('delayed_events_user')
        .on('delayed_events')
        .columns(['user_id', 'status', 'send_ts'])
        .execute();
      await schema.createIndex('delayed_events_finalised').on('delayed_events').column('finalised_ts').execute();
    },
  },
  '0731_delayed_events_sticky': {
    async up({ schema }) {
      await schema.alterTable('delayed_events').addColumn('sticky_duration_ms', 'integer').execute();
    },
  },
};

export function findDelayed(tx: ReadTx, delayId: string): Promise<DelayedRow | undefined> {
  return tx.db.selectFrom('delayed_events').selectAll().where('delay_id', '=', delayId).executeTakeFirst();
}

/** The one that the same request made before. */
export function findRepeated(
  tx: ReadTx,
  row: Pick<DelayedRow, 'user_id' | 'device_id' | 'txn_id' | 'room_id' | 'type'>,
): Promise<DelayedRow | undefined> {
  return tx.db
    .selectFrom('delayed_events')
    .selectAll()
    .where('user_id', '=', row.user_id)
    .where('device_id', '=', row.device_id)
    .where('txn_id', '=', row.txn_id)
    .where('room_id', '=', row.room_id)
    .where('type', '=', row.type)
    .executeTakeFirst();
}

export async function insertDelayed(tx: WriteTx, row: DelayedRow): Promise<void> {
  await tx.db.insertInto('delayed_events').values(row).execute();
}

/** Changes one that is scheduled; false where it isn't any more. */
export async function updateScheduled(
  tx: WriteTx,
  delayId: string,
  change: Partial<Omit<DelayedRow, 'delay_id'>>,
): Promise<boolean> {
  const result = await tx.db
    .updateTable('delayed_events')
    .set(change)
    .where('delay_id', '=', delayId)
    .where('status', '=', 'scheduled')
    .executeTakeFirst();
  return Number(result.numUpdatedRows) > 0;
}

/** How many a user has scheduled, and when the next of them is due. */
export async function scheduledOf(tx: ReadTx, userId: UserId): Promise<{ count: number; nextTs: number | undefined }> {
  const row = await tx.db
    .selectFrom('delayed_events')
    .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.min('send_ts').as('next')])
    .where('user_id', '=', userId)
    .where('status', '=', 'scheduled')
    .executeTakeFirst();
  return { count: Number(row?.count ?? 0), nextTs: row?.next == null ? undefined : Number(row.next) };
}

/** What of a user's delayed events to list. */
export interface DelayedFilter {
  readonly userId: UserId;
  readonly statuses: readonly DelayedStatus[];
  readonly roomId: RoomId | undefined;
  readonly type: string | undefined;
  readonly reason: 'action' | 'delay' | undefined;
}

export function listDelayed(tx: ReadTx, filter: DelayedFilter): Promise<readonly DelayedRow[]> {
  const { userId, statuses, roomId, type, reason } = filter;
  let query = tx.db
    .selectFrom('delayed_events')
    .selectAll()
    .where('user_id', '=', userId)
    .where('status', 'in', [...statuses]);
  if (roomId !== undefined) query = query.where('room_id', '=', roomId);
  if (type !== undefined) query = query.where('type', '=', type);
  if (reason !== undefined) query = query.where('reason', '=', reason);
  return query.execute();
}

export async function deleteFinalised(tx: WriteTx, beforeTs: number): Promise<void> {
  await tx.db.deleteFrom('delayed_events').where('finalised_ts', '<', beforeTs).execute();
}
