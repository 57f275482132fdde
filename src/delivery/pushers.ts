import type { Clock } from '../clock.ts';
import { MatrixError } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import { deletePushers, listPushers, type PusherRow, putPusher } from './store.ts';

/** Pushers by mail, and what their app is called. Spec: client-server-api/#post_matrixclientv3pushersset */
export const EMAIL_KIND = 'email';
export const EMAIL_APP_ID = 'm.email';

/** Pushers of a user: each message for the user goes to all of them. */
export const PUSHERS_MAX = 100;

/** A way to reach a user's device. */
export interface Pusher {
  readonly id: number;
  readonly userId: UserId;
  readonly deviceId: string | undefined;
  readonly appId: string;
  readonly pushkey: string;
  readonly kind: string;
  readonly appDisplayName: string;
  readonly deviceDisplayName: string;
  readonly profileTag: string | undefined;
  readonly lang: string;
  readonly data: JsonObject;
  readonly isEnabled: boolean;
  readonly setTs: number;
}

/** A pusher that somebody sets. */
export type NewPusher = Omit<Pusher, 'id' | 'setTs'>;

/** The pushers of all users; in memory too, since each event asks for them. Spec: client-server-api/#push-notifications */
export class Pushers {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #byId = new Map<number, Pusher>();
  readonly #byUser = new Map<UserId, Set<Pusher>>();
  /** Goes up with every change. */
  #generation = 0;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Reads all pushers. */
  async load(): Promise<void> {
    for (const row of await this.#database.read(listPushers)) this.#keep(toPusher(row));
  }

  /** The pushers of a user. */
  of(userId: UserId): readonly Pusher[] {
    return [...(this.#byUser.get(userId) ?? [])];
  }

  /** The pusher of an id. */
  find(id: number): Pusher | undefined {
    return this.#byId.get(id);
  }

  /** Those of a user that are switched on. */
  enabledOf(userId: UserId): readonly Pusher[] {
    return this.of(userId).filter((pusher) => pusher.isEnabled);
  }

  /**
   * Sets a pusher. Unless `append`, those of other users with the same app and key go: the device has changed hands. Throws 400
   * `M_LIMIT_EXCEEDED` where the user has too many.
   */
  async set(wish: NewPusher, append: boolean): Promise<void> {
    const own = this.of(wish.userId);
    const isNew = !own.some(({ appId, pushkey }) => appId === wish.appId && pushkey === wish.pushkey);
    if (isNew && own.length >= PUSHERS_MAX) {
      throw new MatrixError('M_LIMIT_EXCEEDED', 'You have too many pushers', { status: 400 });
    }
    const row = toRow(wish, Math.floor(this.#clock.now() / 1000));
    await this.#database.write('main', async (tx) => {
      const others = append ? [] : this.#withKey(wish.appId, wish.pushkey).filter((one) => one.userId !== wish.userId);
      if (others.length > 0) await this.#deleteIn(tx, others);
      const pusher = toPusher(await putPusher(tx, row));
      tx.onCommit(() => this.#keep(pusher));
    });
  }

  /** Deletes a user's pusher, if it is there. */
  async delete(userId: UserId, appId: string, pushkey: string): Promise<void> {
    const own = this.#withKey(appId, pushkey).filter((pusher) => pusher.userId === userId);
    if (own.length > 0) await this.#database.write('main', (tx) => this.#deleteIn(tx, own));
  }

  /** Deletes all pushers with this app and key: the gateway says that nobody is there. */
  async deleteRejected(appId: string, pushkey: string): Promise<void> {
    const rejected = this.#withKey(appId, pushkey);
    if (rejected.length > 0) await this.#database.write('main', (tx) => this.#deleteIn(tx, rejected));
  }

  /** Deletes the pushers that devices have set, in the transaction in which the devices go. */
  async deleteOfDevices(tx: WriteTx, userId: UserId, deviceIds: readonly string[]): Promise<void> {
    const gone = new Set(deviceIds);
    const own = this.of(userId).filter(({ deviceId }) => deviceId !== undefined && gone.has(deviceId));
    if (own.length > 0) await this.#deleteIn(tx, own);
  }

  /** Deletes all pushers of a user, in the transaction in which the account ends. */
  async deleteAllOf(tx: WriteTx, userId: UserId): Promise<void> {
    const own = this.of(userId);
    if (own.length > 0) await this.#deleteIn(tx, own);
  }

  async #deleteIn(tx: WriteTx, pushers: readonly Pusher[]): Promise<void> {
    const ids = pushers.map((pusher) => pusher.id);
    await deletePushers(tx, ids);
    tx.onCommit(() => {
      for (const id of ids) this.#forget(id);
    });
  }

  #withKey(appId: string, pushkey: string): readonly Pusher[] {
    return [...this.#byId.values()].filter((pusher) => pusher.appId === appId && pusher.pushkey === pushkey);
  }

  #keep(pusher: Pusher): void {
    this.#forget(pusher.id);
    this.#byId.set(pusher.id, pusher);
    const own = this.#byUser.get(pusher.userId);
    if (own === undefined) this.#byUser.set(pusher.userId, new Set([pusher]));
    else own.add(pusher);
  }

  #forget(id: number): void {
    this.#generation++;
    const known = this.#byId.get(id);
    if (known === undefined) return;
    this.#byId.delete(id);
    const own = this.#byUser.get(known.userId);
    if (own?.delete(known) && own.size === 0) this.#byUser.delete(known.userId);
  }
}

/** A pusher from its row. */
export function toPusher(row: PusherRow): Pusher {
  return {
    id: row.pusher_id,
    userId: row.user_id,
    deviceId: row.device_id ?? undefined,
    appId: row.app_id,
    pushkey: row.pushkey,
    kind: row.kind,
    appDisplayName: row.app_display_name,
    deviceDisplayName: row.device_display_name,
    profileTag: row.profile_tag ?? undefined,
    lang: row.lang,
    data: JSON.parse(row.data),
    isEnabled: row.enabled === 1,
    setTs: row.set_ts,
  };
}

function toRow(pusher: NewPusher, setTs: number): Omit<PusherRow, 'pusher_id'> {
  return {
    user_id: pusher.userId,
    device_id: pusher.deviceId ?? null,
    app_id: pusher.appId,
    pushkey: pusher.pushkey,
    kind: pusher.kind,
    app_display_name: pusher.appDisplayName,
    device_display_name: pusher.deviceDisplayName,
    profile_tag: pusher.profileTag ?? null,
    lang: pusher.lang,
    data: JSON.stringify(pusher.data),
    enabled: pusher.isEnabled ? 1 : 0,
    set_ts: setTs,
  };
}
