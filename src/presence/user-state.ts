import type { RoomId } from '../protocol/ids/index.ts';

/** `busy` is MSC3026's: online, and not to be disturbed. */
export const PRESENCES = ['online', 'unavailable', 'offline', 'busy'] as const;
export type PresenceName = (typeof PRESENCES)[number];

/** Who was active less than this ago is active now. */
const ACTIVE_MS = 60_000;
/** Who is online without doing anything for this long is away. */
const IDLE_MS = 5 * 60_000;
/** A device that has not asked for news for so long is gone. */
const GONE_MS = 30_000;

/** A server that says nothing of a user for so long has lost them: it repeats itself more often than that. */
const REMOTE_MS = 35 * 60_000;

/** The greatest one of a user's devices counts. */
const WEIGHT: Readonly<Record<PresenceName, number>> = { busy: 3, online: 2, unavailable: 1, offline: 0 };

interface DeviceState {
  wish: PresenceName;
  openSyncs: number;
  lastSyncTs: number;
}

/** What a user's presence comes to. */
export interface PresenceView {
  readonly presence: PresenceName;
  readonly statusMsg: string | undefined;
  /** Milliseconds since the epoch; 0 where the user never was active. */
  readonly lastActiveTs: number;
  readonly currentlyActive: boolean;
}

/** One user's presence: what the devices say, and what follows from the time. */
export class UserState {
  /** In the stream 'presence': of the last change that others are told of. */
  position = 0;
  /** The rooms in which others see it. Undefined until they are looked up. */
  rooms: ReadonlySet<RoomId> | undefined;
  readonly #devices = new Map<string, DeviceState>();
  /** Set by the user rather than by a device that syncs; holds while any device is there. */
  #ownWish: PresenceName | undefined;
  #statusMsg: string | undefined;
  #lastActiveTs = 0;
  /** What another server says, and when it said so. */
  #remote: { readonly view: PresenceView; readonly ts: number } | undefined;

  /** A device asks for news, with the presence that it wants. */
  beginSync(deviceId: string, wish: PresenceName, now: number): void {
    const device = this.#devices.get(deviceId) ?? { wish, openSyncs: 0, lastSyncTs: now };
    if (wish === 'online' && this.#view(now).presence === 'offline') this.#lastActiveTs = now;
    this.#devices.set(deviceId, { wish, openSyncs: device.openSyncs + 1, lastSyncTs: now });
  }

  /** The device got its answer, or went away. */
  endSync(deviceId: string, now: number): void {
    const device = this.#devices.get(deviceId);
    if (device === undefined) return;
    device.openSyncs = Math.max(0, device.openSyncs - 1);
    device.lastSyncTs = now;
  }

  /** The user sets it; undefined `statusMsg` removes the message. */
  set(presence: PresenceName, statusMsg: string | undefined, now: number): void {
    this.#ownWish = presence;
    this.#statusMsg = statusMsg;
    if (presence !== 'offline') this.#lastActiveTs = now;
  }

  /** The user does something. */
  touch(now: number): void {
    this.#lastActiveTs = now;
    if (this.#ownWish === 'unavailable') this.#ownWish = undefined;
  }

  /** What another server says holds until it says something else, or nothing for a long time. */
  setRemote(view: PresenceView, now: number): void {
    this.#remote = { view, ts: now };
  }

  view(now: number): PresenceView {
    if (this.#remote === undefined) return this.#view(now);
    const { view, ts } = this.#remote;
    return now - ts < REMOTE_MS ? view : { ...view, presence: 'offline', currentlyActive: false };
  }

  /** Whether nothing is lost if this is forgotten. */
  isIdle(now: number): boolean {
    if (this.#remote !== undefined) return now - this.#remote.ts >= REMOTE_MS;
    return this.#devices.size === 0 && this.#ownWish === undefined && now > 0;
  }

  #view(now: number): PresenceView {
    let presence: PresenceName = 'offline';
    let isHere = false;
    for (const [deviceId, { wish, openSyncs, lastSyncTs }] of this.#devices) {
      if (openSyncs === 0 && now - lastSyncTs > GONE_MS) {
        this.#devices.delete(deviceId);
        continue;
      }
      isHere = true;
      if (WEIGHT[wish] > WEIGHT[presence]) presence = wish;
    }
    if (this.#ownWish !== undefined) {
      if (isHere) presence = this.#ownWish;
      else if (now - this.#lastActiveTs < GONE_MS) presence = this.#ownWish;
      else this.#ownWish = undefined;
    }
    if (presence === 'online' && now - this.#lastActiveTs > IDLE_MS) presence = 'unavailable';
    const currentlyActive = presence === 'online' && now - this.#lastActiveTs < ACTIVE_MS;
    return { presence, statusMsg: this.#statusMsg, lastActiveTs: this.#lastActiveTs, currentlyActive };
  }
}
