import type { RoomId } from '../../protocol/ids/index.ts';
import type { HotRoom } from '../write/hot-room.ts';
import type { HotRooms } from '../write/hot-rooms.ts';
import { DroppedEventError } from './dropped-event-error.ts';

/** A room for oneself: all that was put into it is durable, and nothing else is put there. */
export async function holdRoom<T>(hotRooms: HotRooms, roomId: RoomId, work: (room: HotRoom) => Promise<T>): Promise<T> {
  for (;;) {
    const room = await hotRooms.find(roomId);
    if (room === undefined) throw new DroppedEventError('the room is not known here');
    if (room.held !== undefined) {
      await room.held;
      continue;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    room.held = promise;
    try {
      await room.latestWrite?.catch(() => undefined);
      if (room.hasFailed) continue;
      return await work(room);
    } finally {
      room.held = undefined;
      resolve();
    }
  }
}
