/** What presence adds to `/sync`. Spec: client-server-api/#presence */
import type { Presence } from '../presence/index.ts';
import { matchesEvent } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { Produced, SyncExtension } from './extension.ts';
import type { OnlineUser } from './online-user.ts';

/** More users than this are not told of at once. */
const EVENTS_MAX = 2_000;
const NOTHING: Produced = { members: [] };

/** The extension of presence. */
export function presenceExtension(presence: Presence): SyncExtension {
  return {
    streams: [],
    // A user who is woken for presence has been noted; whoever comes by himself is looked up by his rooms.
    hasNews: (user, _viewer, since) =>
      user.newest('presence') > since.presence || presence.hasChanged(joinedRooms(user), since.presence),
    async produce(_tx, { viewer, user, since, query, rooms }): Promise<Produced> {
      const filter = query.filter.presence;
      const from = since?.presence ?? 0;
      const roomIds = new Set<RoomId>(rooms.map((room) => room.roomId));
      const userIds = new Set<UserId>(presence.changedIn(roomIds, from));
      const entered = since === undefined ? [] : rooms.filter((room) => room.position > since.events);
      const newRooms = new Set<RoomId>(entered.map((room) => room.roomId));
      if (newRooms.size > 0) for (const userId of presence.changedIn(newRooms, 0)) userIds.add(userId);
      if (since !== undefined && user.newest('presence') > from) userIds.add(viewer.userId);
      const events: string[] = [];
      for (const userId of userIds) {
        if (events.length >= (filter.limit ?? EVENTS_MAX)) break;
        if (matchesEvent(filter, 'm.presence', userId)) events.push(presence.eventOf(userId));
      }
      return events.length === 0 ? NOTHING : { members: [`"presence":{"events":[${events.join(',')}]}`] };
    },
  };
}

function* joinedRooms(user: OnlineUser): Iterable<RoomId> {
  for (const room of user.rooms.values()) if (room.membership === 'join') yield room.roomId;
}
