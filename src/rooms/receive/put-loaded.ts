import { type HotRoom, StateNotLoaded } from '../write/hot-room.ts';
import type { HotRooms } from '../write/hot-rooms.ts';

const LOADS_MAX = 10;

/** Puts an event into a held room, with the state events at hand that this needs. */
export async function putLoaded<T>(hotRooms: HotRooms, room: HotRoom, put: () => T): Promise<T> {
  for (let loads = 0; loads < LOADS_MAX; loads++) {
    try {
      return put();
    } catch (error) {
      if (!(error instanceof StateNotLoaded)) throw error;
      await hotRooms.decode(error.entries);
    }
  }
  throw new Error(`the state of ${room.roomId} could not be loaded`);
}
