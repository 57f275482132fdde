import type { RoomId } from '../protocol/ids/index.ts';
import type { RoomSnapshot } from './snapshot.ts';

/** Everything that can be done with rooms. Its verbs are in write/, read/ and ephemeral/. */
export class Rooms {
  /** The committed state of a room, or undefined where we don't know the room. */
  async snapshot(_roomId: RoomId): Promise<RoomSnapshot | undefined> {
    return undefined;
  }
}
