/** The first step of a sync: which rooms have anything for the user, and which section they go into. */
import { type Filter, matchesRoom } from '../protocol/filter/index.ts';
import type { RoomId } from '../protocol/ids/index.ts';
import type { SyncToken } from '../streams/index.ts';
import type { OnlineUser, UserRoom } from './online-user.ts';
import type { RoomPositions } from './room-positions.ts';

export interface Skeleton {
  readonly join: readonly UserRoom[];
  readonly invite: readonly UserRoom[];
  readonly knock: readonly UserRoom[];
  readonly leave: readonly UserRoom[];
}

/** All rooms that an initial sync shows. */
export function initialSkeleton(user: OnlineUser, filter: Filter): Skeleton {
  return sort(
    user,
    filter,
    (room) =>
      room.membership === 'join' ||
      room.membership === 'invite' ||
      room.membership === 'knock' ||
      (filter.room.includeLeave && !room.forgotten),
  );
}

/** The rooms in which something happened since a token. Asks memory only. */
export function incrementalSkeleton(
  user: OnlineUser,
  filter: Filter,
  positions: RoomPositions,
  since: SyncToken,
  isFull: boolean,
): Skeleton {
  const recent = isFull ? undefined : user.recent.after(since);
  return sort(
    user,
    filter,
    (room) => {
      if (room.position > since.events) return true;
      if (room.membership !== 'join') return false;
      return (
        isFull ||
        positions.last('events', room.roomId) > since.events ||
        positions.last('receipts', room.roomId) > since.receipts ||
        positions.last('typing', room.roomId) > since.typing
      );
    },
    recent,
  );
}

/** `among`: the only rooms that come into question; undefined: all. */
function sort(
  user: OnlineUser,
  filter: Filter,
  belongs: (room: UserRoom) => boolean,
  among: ReadonlySet<RoomId> | undefined = undefined,
): Skeleton {
  const skeleton: { [section in keyof Skeleton]: UserRoom[] } = { join: [], invite: [], knock: [], leave: [] };
  const take = (room: UserRoom): void => {
    if (!belongs(room) || !matchesRoom(filter.room, room.roomId)) return;
    skeleton[room.membership === 'ban' ? 'leave' : room.membership].push(room);
  };
  if (among === undefined) {
    for (const room of user.rooms.values()) take(room);
    return skeleton;
  }
  for (const roomId of among) {
    const room = user.rooms.get(roomId);
    if (room !== undefined) take(room);
  }
  return skeleton;
}
