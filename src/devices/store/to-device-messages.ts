import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, textList, type WriteTx } from '../../storage/index.ts';
import type { ToDeviceMessagesTable } from './tables.ts';

export type ToDeviceMessageRow = ToDeviceMessagesTable;

export function insertMessage(tx: WriteTx, row: ToDeviceMessageRow): Promise<number> {
  return tx.change(insertRow, row);
}

/** The messages of a device after `from` up to `to`, the oldest `limit` of them. */
export function messagesBetween(
  tx: ReadTx,
  range: { userId: UserId; deviceId: string; from: number; to: number; limit: number },
): Promise<readonly { readonly position: number; readonly json: string }[]> {
  return tx.run(between, range);
}

/** Whether a device has messages up to a position. */
export async function hasMessagesUpTo(
  tx: ReadTx,
  userId: UserId,
  deviceId: string,
  position: number,
): Promise<boolean> {
  return (await tx.find(anyUpTo, { userId, deviceId, position })) !== undefined;
}

/** Deletes a device's messages up to a position and says how many there were. */
export function deleteMessagesUpTo(tx: WriteTx, userId: UserId, deviceId: string, position: number): Promise<number> {
  return tx.change(deleteUpTo, { userId, deviceId, position });
}

/** The position of the newest message but `offset`; undefined where there are not that many. */
export async function positionOfNewest(
  tx: ReadTx,
  userId: UserId,
  deviceId: string,
  offset: number,
): Promise<number | undefined> {
  const row = await tx.db
    .selectFrom('to_device_messages')
    .select('position')
    .where('user_id', '=', userId)
    .where('device_id', '=', deviceId)
    .orderBy('position', 'desc')
    .limit(1)
    .offset(offset)
    .executeTakeFirst();
  return row?.position;
}

/** Deletes all messages of devices, and what is remembered of their own requests. */
export async function deleteMessagesOf(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
  for (const table of ['to_device_messages', 'to_device_transactions'] as const) {
    await tx.db.deleteFrom(table).where('user_id', '=', userId).where('device_id', 'in', textList(deviceIds)).execute();
  }
}

/** Remembers a request; false where it was done before. */
export async function insertToDeviceTransaction(
  tx: WriteTx,
  row: { userId: UserId; deviceId: string; txn: string; now: number },
): Promise<boolean> {
  return (await tx.change(insertTransaction, row)) > 0;
}

/** Forgets requests that were done before `before`. */
export async function deleteToDeviceTransactionsBefore(tx: WriteTx, before: number): Promise<void> {
  await tx.db.deleteFrom('to_device_transactions').where('created_ts', '<', before).execute();
}

/** Up to where positions of a stream were reserved; 0 where none ever was. */
export async function reservedPosition(tx: ReadTx, stream: string): Promise<number> {
  const row = await tx.db
    .selectFrom('stream_reservations')
    .select('position')
    .where('stream', '=', stream)
    .executeTakeFirst();
  return row?.position ?? 0;
}

/** Reserves the positions of a stream up to this one. */
export async function reservePositions(tx: WriteTx, stream: string, position: number): Promise<void> {
  await tx.db
    .insertInto('stream_reservations')
    .values({ stream, position })
    .onConflict((conflict) => conflict.column('stream').doUpdateSet({ position }))
    .execute();
}

const insertRow = compiledOnce<ToDeviceMessageRow>()((db, p) =>
  db.insertInto('to_device_messages').values({
    user_id: p('user_id'),
    device_id: p('device_id'),
    position: p('position'),
    json: p('json'),
  }),
);

const between = compiledOnce<{ userId: UserId; deviceId: string; from: number; to: number; limit: number }>()((db, p) =>
  db
    .selectFrom('to_device_messages')
    .select(['position', 'json'])
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('position', '>', p('from'))
    .where('position', '<=', p('to'))
    .orderBy('position')
    .limit(p('limit')),
);

const anyUpTo = compiledOnce<{ userId: UserId; deviceId: string; position: number }>()((db, p) =>
  db
    .selectFrom('to_device_messages')
    .select('position')
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('position', '<=', p('position'))
    .limit(1),
);

const deleteUpTo = compiledOnce<{ userId: UserId; deviceId: string; position: number }>()((db, p) =>
  db
    .deleteFrom('to_device_messages')
    .where('user_id', '=', p('userId'))
    .where('device_id', '=', p('deviceId'))
    .where('position', '<=', p('position')),
);

const insertTransaction = compiledOnce<{ userId: UserId; deviceId: string; txn: string; now: number }>()((db, p) =>
  db
    .insertInto('to_device_transactions')
    .values({ user_id: p('userId'), device_id: p('deviceId'), txn: p('txn'), created_ts: p('now') })
    .onConflict((conflict) => conflict.doNothing()),
);
