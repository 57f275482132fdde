import type { ReadTx } from '../../storage/index.ts';
import type { RoomRow } from '../store/room-rows.ts';

/** A room's place in the directory: by members, then by age. */
export type RoomPlace = Pick<RoomRow, 'joined_count' | 'room_nid'>;

export type PublicRoomRow = Pick<
  RoomRow,
  | 'room_nid'
  | 'room_id'
  | 'joined_count'
  | 'name'
  | 'topic'
  | 'canonical_alias'
  | 'avatar_url'
  | 'join_rule'
  | 'guest_access'
  | 'history_visibility'
  | 'room_type'
  | 'federate'
>;

/** A stretch of the directory: `n` goes on behind a place, `p` back from it; without a place from the start. */
export interface PublicRoomsRange {
  readonly dir: 'n' | 'p';
  readonly place: RoomPlace | undefined;
  readonly limit: number;
}

/** Published rooms, the ones with the most members first (`n`) or last (`p`). */
export async function listPublicRooms(
  tx: ReadTx,
  { dir, place, limit }: PublicRoomsRange,
): Promise<readonly PublicRoomRow[]> {
  const [beyond, after, countOrder, nidOrder] =
    dir === 'n' ? (['<', '>', 'desc', 'asc'] as const) : (['>', '<', 'asc', 'desc'] as const);
  return tx.db
    .selectFrom('rooms')
    .select([
      'room_nid',
      'room_id',
      'joined_count',
      'name',
      'topic',
      'canonical_alias',
      'avatar_url',
      'join_rule',
      'guest_access',
      'history_visibility',
      'room_type',
      'federate',
    ])
    .where('is_public', '=', 1)
    .$if(place !== undefined, (query) =>
      query.where((eb) =>
        eb.or([
          eb('joined_count', beyond, place?.joined_count ?? 0),
          eb.and([eb('joined_count', '=', place?.joined_count ?? 0), eb('room_nid', after, place?.room_nid ?? 0)]),
        ]),
      ),
    )
    .orderBy('joined_count', countOrder)
    .orderBy('room_nid', nidOrder)
    .limit(limit)
    .execute();
}

/** How many rooms are published. */
export async function countPublicRooms(tx: ReadTx): Promise<number> {
  const row = await tx.db
    .selectFrom('rooms')
    .select((eb) => eb.fn.countAll().as('count'))
    .where('is_public', '=', 1)
    .executeTakeFirst();
  return Number(row?.count ?? 0);
}
