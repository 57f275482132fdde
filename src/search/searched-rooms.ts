import { matchesRoom, type RoomEventFilter } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { listRoomsOfUser } from '../rooms/index.ts';
import type { ReadTx } from '../storage/index.ts';
import { replacementsOf } from './store.ts';

/** The rooms of a search by their nids, and how the user stands to each. */
export type SearchedRooms = ReadonlyMap<number, 'join' | 'left'>;

/**
 * The rooms that a search of a user looks at: those the user is in or has left and not forgotten, as far as the filter
 * lets them pass. A room that the filter names brings the rooms it has replaced, whose messages belong to the same
 * conversation. Spec: client-server-api/#room_events, client-server-api/#room-upgrades
 */
export async function searchedRooms(tx: ReadTx, userId: UserId, filter: RoomEventFilter): Promise<SearchedRooms> {
  const rows = (await listRoomsOfUser(tx, userId)).filter(
    ({ membership, forgotten }) =>
      membership === 'join' || ((membership === 'leave' || membership === 'ban') && !forgotten),
  );
  const named = filter.rooms === undefined ? undefined : await withReplaced(tx, filter.rooms, rows);
  const passing = { rooms: named, notRooms: filter.notRooms };
  return new Map(
    rows
      .filter(({ room_id }) => matchesRoom(passing, room_id))
      .map(({ room_nid, membership }) => [room_nid, membership === 'join' ? 'join' : 'left']),
  );
}

interface KnownRoom {
  readonly room_id: RoomId;
  readonly room_nid: number;
}

/** The named rooms and, again and again, those that they replaced. */
async function withReplaced(
  tx: ReadTx,
  named: ReadonlySet<RoomId>,
  rows: readonly KnownRoom[],
): Promise<ReadonlySet<RoomId>> {
  const nids = rows.map(({ room_nid }) => room_nid);
  const replacedBy = Map.groupBy(await replacementsOf(tx, nids), ({ tombstone_replacement }) => tombstone_replacement);
  const all = new Set(named);
  // A set is walked in the order of insertion, what is added meanwhile included; each room is added once, so circles end.
  for (const roomId of all) for (const { room_id } of replacedBy.get(roomId) ?? []) all.add(room_id);
  return all;
}
