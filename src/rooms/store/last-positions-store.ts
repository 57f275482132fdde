import { compiledOnce } from '../../storage/compiled-once.ts';
import type { ReadTx } from '../../storage/types.ts';

/** Where the streams of events and receipts stand in a room; 0 where there are none. */
export interface LastPositions {
  readonly events: number;
  readonly receipts: number;
}

/** Where rooms stand, by room. */
export async function listLastPositions(
  tx: ReadTx,
  roomNids: readonly number[],
): Promise<ReadonlyMap<number, LastPositions>> {
  const rows = await tx.run(lastPositions, { roomNids });
  return new Map(rows.map((row) => [row.room_nid, { events: row.events ?? 0, receipts: row.receipts ?? 0 }]));
}

const lastPositions = compiledOnce<{ roomNids: readonly number[] }>()((db, p) =>
  db
    .selectFrom('rooms')
    .select((eb) => [
      'rooms.room_nid',
      eb
        .selectFrom('events')
        .select((inner) => inner.fn.max('events.position').as('last'))
        .whereRef('events.room_nid', '=', 'rooms.room_nid')
        .as('events'),
      eb
        .selectFrom('receipts')
        .select((inner) => inner.fn.max('receipts.position').as('last'))
        .whereRef('receipts.room_nid', '=', 'rooms.room_nid')
        .as('receipts'),
    ])
    .where('rooms.room_nid', 'in', p.numbers('roomNids')),
);
