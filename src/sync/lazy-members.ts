import { LRUCache } from 'lru-cache';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { Viewer } from '../rooms/index.ts';
import { parseSyncToken } from '../streams/index.ts';

const DEVICES_REMEMBERED_MAX = 10_000;
/** Members remembered for all devices together. */
const MEMBERS_REMEMBERED_MAX = 1_000_000;
/** Members remembered for a device; beyond that it is told some of them again. */
const MEMBERS_OF_DEVICE_MAX = 20_000;

/**
 * Which members a device has been told of, so that lazy loading doesn't repeat them. In memory: after a restart some are
 * told again. What a response tells counts only once the client comes back with that response's token: a response that
 * was lost on the way told nothing; and a client that goes back to an older token has forgotten what it was told since.
 * Spec: client-server-api/#lazy-loading-room-members
 */
export class LazyMembers {
  readonly #devices = new LRUCache<string, DeviceMembers>({
    max: DEVICES_REMEMBERED_MAX,
    maxSize: MEMBERS_REMEMBERED_MAX,
    sizeCalculation: (device) => device.size + 1,
  });

  /** What a device knows as of the token it comes with; undefined: it starts from nothing. */
  forRequest(viewer: Viewer, since: string | undefined): DeviceMembers {
    const key = `${viewer.userId}\0${viewer.deviceId ?? ''}`;
    let device = since === undefined ? undefined : this.#devices.get(key);
    const sizeBefore = device?.size;
    device ??= new DeviceMembers();
    device.settle(since);
    if (device.size !== sizeBefore) this.#devices.set(key, device);
    return device;
  }
}

/** What one device knows. */
export class DeviceMembers {
  /** By room and user, the position in the stream 'events' of the token that the client came back with. */
  readonly #known = new Map<string, number>();
  #lastEvents = 0;
  #told: string[] = [];
  #toldWith: string | undefined;

  /** How many members it knows. */
  get size(): number {
    return this.#known.size;
  }

  /** The client came with `since`: what was told with that token has arrived, what was told after it is forgotten. */
  settle(since: string | undefined): void {
    const events = (since === undefined ? undefined : parseSyncToken(since)?.events) ?? 0;
    if (events < this.#lastEvents) {
      for (const [member, position] of this.#known) if (position > events) this.#known.delete(member);
    }
    this.#lastEvents = events;
    if (this.#toldWith === undefined || this.#toldWith !== since) return;
    if (this.#known.size > MEMBERS_OF_DEVICE_MAX) this.#known.clear();
    for (const member of this.#told) if (!this.#known.has(member)) this.#known.set(member, events);
    this.#told = [];
    this.#toldWith = undefined;
  }

  knows(roomId: RoomId, userId: UserId): boolean {
    return this.#known.has(`${roomId}\0${userId}`);
  }

  knowsAll(roomId: RoomId, userIds: Iterable<UserId>): boolean {
    for (const userId of userIds) if (!this.knows(roomId, userId)) return false;
    return true;
  }

  /** Notes what the response with `nextBatch` tells, in place of what an earlier one told that never arrived. */
  tell(nextBatch: string, members: readonly (readonly [RoomId, UserId])[]): void {
    this.#told = members.map(([roomId, userId]) => `${roomId}\0${userId}`);
    this.#toldWith = nextBatch;
  }
}
