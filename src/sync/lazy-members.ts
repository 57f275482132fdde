import { LRUCache } from 'lru-cache';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import type { Viewer } from '../rooms/index.ts';

const DEVICES_REMEMBERED_MAX = 10_000;
/** Members remembered for a device; beyond that it is told some of them again. */
const MEMBERS_REMEMBERED_MAX = 20_000;

/**
 * Which members a device has been told of, so that lazy loading doesn't repeat them. In memory: after a restart some are
 * told again. What a response tells counts only once the client comes back with that response's token: a response that
 * was lost on the way told nothing.
 * Spec: client-server-api/#lazy-loading-room-members
 */
export class LazyMembers {
  readonly #devices = new LRUCache<string, DeviceMembers>({ max: DEVICES_REMEMBERED_MAX });

  /** What a device knows as of the token it comes with; undefined: it starts from nothing. */
  forRequest(viewer: Viewer, since: string | undefined): DeviceMembers {
    const key = `${viewer.userId}\0${viewer.deviceId ?? ''}`;
    let device = this.#devices.get(key);
    if (device === undefined || since === undefined) {
      device = new DeviceMembers();
      this.#devices.set(key, device);
    }
    device.settle(since);
    return device;
  }
}

/** What one device knows. */
export class DeviceMembers {
  readonly #known = new Set<string>();
  #told: string[] = [];
  #toldWith: string | undefined;

  /** The client came with `since`: what was told with that token has arrived. */
  settle(since: string | undefined): void {
    if (this.#toldWith === undefined || this.#toldWith !== since) return;
    if (this.#known.size > MEMBERS_REMEMBERED_MAX) this.#known.clear();
    for (const member of this.#told) this.#known.add(member);
    this.#told = [];
    this.#toldWith = undefined;
  }

  knows(roomId: RoomId, userId: UserId): boolean {
    return this.#known.has(`${roomId}\0${userId}`);
  }

  /** Notes what the response with `nextBatch` tells, in place of what an earlier one told that never arrived. */
  tell(nextBatch: string, members: readonly (readonly [RoomId, UserId])[]): void {
    this.#told = members.map(([roomId, userId]) => `${roomId}\0${userId}`);
    this.#toldWith = nextBatch;
  }
}
