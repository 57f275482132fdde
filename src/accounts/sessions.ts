import type { Clock } from '../clock.ts';
import type { Remote, Requester } from '../http/route.ts';
import { invalidParam, MatrixError, unknownToken } from '../protocol/errors.ts';
import { type DeviceId, parseDeviceId, parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import { checkDeviceName, type Devices } from './devices.ts';
import { hashSecret, newDeviceId, newSecret } from './secrets.ts';
import { findDevice, insertDevice } from './store/devices.ts';
import {
  deleteToken,
  deleteTokensOfDevice,
  findRefreshToken,
  finishRotation,
  insertRefreshToken,
  insertToken,
  limitUnusedPairs,
} from './store/tokens.ts';
import { findUser } from './store/users.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';

/** How long tokens live, in milliseconds. */
export interface TokenLifetimes {
  /** Of access tokens that can be refreshed; the others don't expire. */
  readonly accessMs: number;
  /** Undefined: for good. */
  readonly refreshMs: number | undefined;
}

/** What a client asks for when it logs in or registers. */
export interface SessionWish {
  /** A device that is there already, or a name for a new one; without it one is made up. */
  readonly deviceId?: string | undefined;
  /** Ignored where the device exists. */
  readonly deviceName?: string | undefined;
  /** The client can refresh its token. */
  readonly canRefresh?: boolean | undefined;
}

/** A session as the client gets it. The tokens are nowhere else. */
export interface Session {
  readonly userId: UserId;
  readonly deviceId: DeviceId;
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  readonly expiresInMs: number | undefined;
}

/** Issues tokens, exchanges and revokes them. */
export class Sessions {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #devices: Devices;
  readonly #authenticator: TokenAuthenticator;
  readonly #lifetimes: TokenLifetimes;

  constructor(
    database: Database,
    clock: Clock,
    devices: Devices,
    authenticator: TokenAuthenticator,
    lifetimes: TokenLifetimes,
  ) {
    this.#database = database;
    this.#clock = clock;
    this.#devices = devices;
    this.#authenticator = authenticator;
    this.#lifetimes = lifetimes;
  }

  /**
   * Opens a session on a new device or on one that the user has; its earlier tokens are revoked.
   * Spec: client-server-api/#relationship-between-access-tokens-and-devices
   */
  async open(tx: WriteTx, userId: UserId, wish: SessionWish, remote: Remote): Promise<Session> {
    const { deviceId, deviceName } = parseWish(wish);
    const existing = deviceId === undefined ? undefined : await findDevice(tx, userId, deviceId);
    if (deviceId !== undefined && existing !== undefined) {
      await deleteTokensOfDevice(tx, userId, deviceId);
      tx.onCommit(() => this.#authenticator.forget(userId));
      return this.#issue(tx, userId, deviceId, wish.canRefresh === true);
    }
    const newId = deviceId ?? newDeviceId();
    const now = this.#clock.now();
    await insertDevice(tx, {
      user_id: userId,
      device_id: newId,
      display_name: deviceName ?? null,
      last_seen_ip: remote.ip,
      last_seen_user_agent: remote.userAgent,
      last_seen_ts: now,
      created_ts: now,
    });
    await this.#devices.tellChanged(tx, userId, newId);
    return this.#issue(tx, userId, newId, wish.canRefresh === true);
  }

  /**
   * Exchanges a refresh token. It stays valid until one of the new tokens is used, so that a client that lost the answer
   * can ask again; then it and the pairs that nobody used are revoked. Spec: client-server-api/#refreshing-access-tokens
   */
  refresh(refreshToken: string): Promise<Session> {
    return this.#database.write('main', async (tx) => {
      const row = await findRefreshToken(tx, hashSecret(refreshToken));
      const userId = row && parseUserId(row.user_id);
      const deviceId = row && parseDeviceId(row.device_id);
      if (row === undefined || userId === undefined || deviceId === undefined) {
        throw unknownToken('Unknown refresh token');
      }
      if (row.expires_ts !== null && row.expires_ts <= this.#clock.now()) {
        throw unknownToken('The refresh token has expired', { softLogout: true });
      }
      if ((await findUser(tx, userId))?.is_locked === 1) throw userLocked();
      if (row.replaces_id !== null) {
        await finishRotation(tx, { userId, deviceId, replacedId: row.replaces_id, keptId: row.refresh_id });
        tx.onCommit(() => this.#authenticator.forget(userId));
      }
      await limitUnusedPairs(tx, userId, deviceId, row.refresh_id);
      return this.#issue(tx, userId, deviceId, true, row.refresh_id);
    });
  }

  /** Ends the session behind a token; its device is deleted. Spec: client-server-api/#post_matrixclientv3logout */
  async logOut({ userId, deviceId, tokenId }: Requester): Promise<void> {
    await this.#database.write('main', async (tx) => {
      if (deviceId !== undefined) return this.#devices.deleteIn(tx, userId, [deviceId]);
      await deleteToken(tx, tokenId);
      tx.onCommit(() => this.#authenticator.forget(userId));
    });
  }

  /** Ends all sessions of a user; all devices are deleted. Spec: client-server-api/#post_matrixclientv3logoutall */
  async logOutAll(userId: UserId): Promise<void> {
    await this.#database.write('main', (tx) => this.#devices.deleteAllIn(tx, userId));
  }

  async #issue(
    tx: WriteTx,
    userId: UserId,
    deviceId: DeviceId,
    canRefresh: boolean,
    replacesId: number | null = null,
  ): Promise<Session> {
    const now = this.#clock.now();
    const { accessMs, refreshMs } = this.#lifetimes;
    const common = { user_id: userId, device_id: deviceId, created_ts: now, replaces_id: replacesId };
    const refreshToken = canRefresh ? newSecret('ing_refresh_') : undefined;
    const refreshId =
      refreshToken === undefined
        ? null
        : await insertRefreshToken(tx, {
            ...common,
            token_hash: hashSecret(refreshToken),
            expires_ts: refreshMs === undefined ? null : now + refreshMs,
          });
    const accessToken = newSecret('ing_');
    await insertToken(tx, {
      ...common,
      token_hash: hashSecret(accessToken),
      expires_ts: canRefresh ? now + accessMs : null,
      refresh_id: refreshId,
    });
    return { userId, deviceId, accessToken, refreshToken, expiresInMs: canRefresh ? accessMs : undefined };
  }
}

/** 401 `M_USER_LOCKED`. Spec: client-server-api/#account-locking */
export function userLocked(): MatrixError {
  return new MatrixError('M_USER_LOCKED', 'This account has been locked', { fields: { soft_logout: true } });
}

/** Throws `M_INVALID_PARAM` where the device id or name can't be used; ask before anything is done. */
export function parseWish(wish: SessionWish): { deviceId: DeviceId | undefined; deviceName: string | undefined } {
  const deviceId = wish.deviceId === undefined ? undefined : parseDeviceId(wish.deviceId);
  if (wish.deviceId !== undefined && deviceId === undefined) throw invalidParam('The device_id is not valid');
  if (wish.deviceName !== undefined) checkDeviceName(wish.deviceName);
  return { deviceId, deviceName: wish.deviceName };
}
