import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { ReadTx, WriteTx } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import type { DeviceRooms } from './ports.ts';
import { putDeviceListChange, usersChangedBetween } from './store/device-list-changes.ts';

/**
 * Whose keys changed, for those who follow them. A change costs one row and one hint for each room of the user, however
 * many members they have: who shares a room is looked up by those who ask.
 */
export class DeviceLists {
  readonly #hub: Hub;
  readonly #rooms: DeviceRooms;
  readonly #changed: ((userId: UserId) => void)[] = [];

  constructor(hub: Hub, rooms: DeviceRooms) {
    this.#hub = hub;
    this.#rooms = rooms;
  }

  /** Calls `fn` after each commit that changed keys of a user, or what the user signed. */
  onChanged(fn: (userId: UserId) => void): void {
    this.#changed.push(fn);
  }

  /** Notes that everyone who shares a room with the user must ask for the user's keys again. */
  async noteChange(tx: WriteTx, userId: UserId): Promise<void> {
    await this.#note(tx, userId, '', await this.#rooms.joinedRoomIds(tx, userId), userId);
  }

  /** Notes that one user, who signed keys of another, must ask for them again. */
  async noteSigned(tx: WriteTx, userId: UserId, signer: UserId): Promise<void> {
    await this.#note(tx, userId, signer, [], signer);
  }

  /** Whose keys changed after `from` up to `to`, whoever they share a room with. */
  changedBetween(tx: ReadTx, from: number, to: number): Promise<readonly UserId[]> {
    return usersChangedBetween(tx, '', from, to);
  }

  /** Whose keys a user signed after `from` up to `to`. */
  signedBetween(tx: ReadTx, signer: UserId, from: number, to: number): Promise<readonly UserId[]> {
    return usersChangedBetween(tx, signer, from, to);
  }

  async #note(
    tx: WriteTx,
    userId: UserId,
    seenBy: UserId | '',
    roomIds: readonly RoomId[],
    alsoTell: UserId,
  ): Promise<void> {
    const position = tx.nextPosition('device_lists');
    await putDeviceListChange(tx, userId, seenBy, position);
    tx.onCommit(() => {
      for (const tell of this.#changed) {
        tell(userId);
        if (seenBy !== '') tell(seenBy);
      }
      const keys = [...roomIds.map((roomId) => `room:${roomId}`), `user:${alsoTell}`, 'stream:device_lists'];
      this.#hub.wake(keys, { stream: 'device_lists', position });
    });
  }
}
