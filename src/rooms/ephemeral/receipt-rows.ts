import type { UserId } from '../../protocol/ids/index.ts';
import { compiledOnce, type ReadTx, type StreamDeclaration, type WriteTx } from '../../storage/index.ts';
import { stream } from '../../streams/index.ts';
import type { ReceiptsTable } from '../store/tables.ts';

/** A receipt. `thread_id` is '' where it is unthreaded. */
export type ReceiptRow = ReceiptsTable;

/** The stream of receipts, private ones included. */
export const receiptsStream: StreamDeclaration = stream({
  name: 'receipts',
  lane: 'main',
  load: async (tx) => {
    const row = await tx.db
      .selectFrom('receipts')
      .select((eb) => eb.fn.max('position').as('last'))
      .executeTakeFirst();
    return Number(row?.last ?? 0);
  },
});

/** Which receipt: there is one of each. */
export type ReceiptKey = Pick<ReceiptRow, 'room_nid' | 'user_id' | 'type' | 'thread_id'>;

/** The receipt under a key, or undefined. */
export async function findReceipt(tx: ReadTx, key: ReceiptKey): Promise<ReceiptRow | undefined> {
  return tx.find(byKey, key);
}

/** Inserts a receipt or moves it forwards. False: it stood at that event or further on already. */
export async function advanceReceipt(tx: WriteTx, row: ReceiptRow): Promise<boolean> {
  return (await tx.change(upsertForwards, row)) > 0;
}

/** All receipts of a user in some rooms, by which that user's unread counts are found. */
export async function listOwnReceipts(
  tx: ReadTx,
  userId: UserId,
  roomNids: readonly number[],
): Promise<readonly ReceiptRow[]> {
  return tx.run(ofUser, { userId, roomNids });
}

/** A stretch of the stream of receipts in some rooms. */
export interface ReceiptRange {
  readonly roomNids: readonly number[];
  readonly after: number;
  readonly upTo: number;
}

/** A stretch up to this long is read by position, a longer one room by room. */
const SHORT_STRETCH = 2_000;

/** The receipts in these rooms that were set in a stretch of the stream, in its order. */
export async function listReceiptsSince(tx: ReadTx, range: ReceiptRange): Promise<readonly ReceiptRow[]> {
  const { roomNids, after, upTo } = range;
  if (roomNids.length === 0 || after >= upTo) return [];
  if (upTo - after > SHORT_STRETCH) return tx.run(inRooms, range);
  const rooms = new Set(roomNids);
  const rows = await tx.run(inStretch, { after, upTo });
  return rows.filter((row) => rooms.has(row.room_nid));
}

const byKey = compiledOnce<ReceiptKey>()((db, p) =>
  db
    .selectFrom('receipts')
    .selectAll()
    .where('room_nid', '=', p('room_nid'))
    .where('user_id', '=', p('user_id'))
    .where('type', '=', p('type'))
    .where('thread_id', '=', p('thread_id')),
);

const upsertForwards = compiledOnce<ReceiptRow>()((db, p) =>
  db
    .insertInto('receipts')
    .values({
      room_nid: p('room_nid'),
      user_id: p('user_id'),
      type: p('type'),
      thread_id: p('thread_id'),
      event_id: p('event_id'),
      event_position: p('event_position'),
      ts: p('ts'),
      position: p('position'),
    })
    .onConflict((conflict) =>
      conflict
        .columns(['room_nid', 'user_id', 'type', 'thread_id'])
        .doUpdateSet((eb) => ({
          event_id: eb.ref('excluded.event_id'),
          event_position: eb.ref('excluded.event_position'),
          ts: eb.ref('excluded.ts'),
          position: eb.ref('excluded.position'),
        }))
        .whereRef('excluded.event_position', '>', 'receipts.event_position'),
    ),
);

const ofUser = compiledOnce<{ userId: UserId; roomNids: readonly number[] }>()((db, p) =>
  db
    .selectFrom('receipts')
    .selectAll()
    .where('room_nid', 'in', p.numbers('roomNids'))
    .where('user_id', '=', p('userId')),
);

const inStretch = compiledOnce<{ after: number; upTo: number }>()((db, p) =>
  db
    .selectFrom('receipts')
    .selectAll()
    .where('position', '>', p('after'))
    .where('position', '<=', p('upTo'))
    .orderBy('position'),
);

const inRooms = compiledOnce<ReceiptRange>()((db, p) =>
  db
    .selectFrom('receipts')
    .selectAll()
    .where('room_nid', 'in', p.numbers('roomNids'))
    .where('position', '>', p('after'))
    .where('position', '<=', p('upTo'))
    .orderBy('position'),
);

/** The receipts that others may know of, set after a position up to another one, with their rooms' ids. */
export function listReceiptsSent(tx: ReadTx, from: number, to: number, limit: number) {
  return tx.db
    .selectFrom('receipts')
    .innerJoin('rooms', 'rooms.room_nid', 'receipts.room_nid')
    .selectAll('receipts')
    .select('rooms.room_id')
    .where('receipts.position', '>', from)
    .where('receipts.position', '<=', to)
    .where('receipts.type', '=', 'm.read')
    .orderBy('receipts.position', 'asc')
    .limit(limit)
    .execute();
}
