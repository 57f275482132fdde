import { type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import { DUMMY_EVENT } from '../store/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { ReceiveDeps } from './deps.ts';

/** A room with more extremities than this gets an event that brings them together. */
const EXTREMITIES_MAX = 10;
/** Each brings together as many as an event may follow. */
const EVENTS_AT_ONCE_MAX = 10;

/**
 * Keeps the extremities of a room few: what follows many of them costs a resolution of as many states. An event that says
 * nothing follows them all. No client sees it, and other servers get it only when they ask what came before a later event.
 */
export async function joinExtremities(
  { writer, hotRooms, serverName }: Pick<ReceiveDeps, 'writer' | 'hotRooms' | 'serverName'>,
  roomId: RoomId,
): Promise<void> {
  for (let made = 0; made < EVENTS_AT_ONCE_MAX; made++) {
    const room = await hotRooms.find(roomId);
    const before = room?.extremities.length ?? 0;
    if (before <= EXTREMITIES_MAX) return;
    await writer.append(roomId, (now) => {
      const sender = now.extremities.length <= EXTREMITIES_MAX ? undefined : whoMay(now, serverName);
      const [first] = now.extremities;
      if (sender === undefined && first !== undefined) return { already: first.eventId };
      if (sender === undefined) throw new Error('a room with many extremities has one');
      return { type: DUMMY_EVENT, sender, content: {} };
    });
    // Nobody of ours may send it.
    if ((await hotRooms.find(roomId))?.extremities.length === before) return;
  }
}

/** A joined user of ours who may send such an event. @throws StateNotLoaded */
function whoMay(room: HotRoom, serverName: ServerName): UserId | undefined {
  const power = room.power();
  const needed = power.event(DUMMY_EVENT, false);
  for (const [userId, { membership }] of room.members.entries()) {
    if (membership === 'join' && serverNameOf(userId) === serverName && power.users(userId) >= needed) return userId;
  }
  return undefined;
}
