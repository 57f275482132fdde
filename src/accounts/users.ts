import type { Clock } from '../clock.ts';
import { MatrixError, notFound } from '../protocol/errors.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { type Database, isUniqueViolation, type ReadTx, type WriteTx } from '../storage/index.ts';
import type { Devices } from './devices.ts';
import type { Passwords } from './passwords.ts';
import type { Profiles } from './profiles.ts';
import {
  activeUsers,
  existingUsers,
  findUser,
  guestUsers,
  hasNoUsers,
  insertUser,
  listErasedUsers,
  listUsers,
  type UserRow,
  updateUser,
} from './store/users.ts';
import type { TokenAuthenticator } from './token-authenticator.ts';

/** An account to be made. */
export interface NewUser {
  readonly userId: UserId;
  /** Undefined where nobody logs in by password. */
  readonly passwordHash: string | undefined;
  readonly displayName?: string | undefined;
  readonly isAdmin?: boolean;
  readonly isGuest?: boolean;
  readonly userType?: string | undefined;
}

/** An account, without its secrets. */
export interface User {
  readonly userId: string;
  readonly isAdmin: boolean;
  readonly isGuest: boolean;
  readonly userType: string | undefined;
  readonly isLocked: boolean;
  readonly isSuspended: boolean;
  readonly isDeactivated: boolean;
  readonly isErased: boolean;
  readonly createdTs: number;
}

/** Called in the transaction that deactivates an account. */
export type UserDeactivated = (tx: WriteTx, userId: UserId, options: { readonly erase: boolean }) => Promise<void>;

/** Accounts as a whole: make them, lock them, end them. */
export class Users {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #passwords: Passwords;
  readonly #authenticator: TokenAuthenticator;
  readonly #devices: Devices;
  readonly #profiles: Profiles;
  readonly #deactivated: UserDeactivated[] = [];
  readonly #erased = new Set<string>();

  constructor(parts: {
    readonly database: Database;
    readonly clock: Clock;
    readonly passwords: Passwords;
    readonly authenticator: TokenAuthenticator;
    readonly devices: Devices;
    readonly profiles: Profiles;
  }) {
    this.#database = parts.database;
    this.#clock = parts.clock;
    this.#passwords = parts.passwords;
    this.#authenticator = parts.authenticator;
    this.#devices = parts.devices;
    this.#profiles = parts.profiles;
  }

  /** Runs `fn` in each transaction that deactivates an account. */
  onDeactivated(fn: UserDeactivated): void {
    this.#deactivated.push(fn);
  }

  /** Adds an account with its profile. Throws `M_USER_IN_USE` where the name is, or ever was, taken. */
  async create(tx: WriteTx, user: NewUser): Promise<void> {
    if ((await findUser(tx, user.userId)) !== undefined) throw userInUse();
    await insertUser(tx, {
      user_id: user.userId,
      password_hash: user.passwordHash ?? null,
      is_admin: user.isAdmin === true ? 1 : 0,
      is_guest: user.isGuest === true ? 1 : 0,
      user_type: user.userType ?? null,
      is_locked: 0,
      is_suspended: 0,
      is_deactivated: 0,
      is_erased: 0,
      created_ts: this.#clock.now(),
    }).catch((error: unknown) => {
      throw isUniqueViolation(error) ? userInUse() : error;
    });
    await this.#profiles.create(tx, user.userId, user.displayName);
  }

  /** The account, or undefined. */
  async find(userId: UserId): Promise<User | undefined> {
    const row = await this.#database.read((tx) => findUser(tx, userId));
    return row && toUser(row);
  }

  /** `find` within a transaction. */
  async findIn(tx: ReadTx, userId: UserId): Promise<User | undefined> {
    const row = await findUser(tx, userId);
    return row && toUser(row);
  }

  /** Those of the given users who are guests. */
  async guestsAmong(userIds: readonly UserId[]): Promise<readonly UserId[]> {
    const guests = new Set(await this.#database.read((tx) => guestUsers(tx, userIds)));
    return userIds.filter((userId) => guests.has(userId));
  }

  /** Whether nobody ever registered here. */
  isEmpty(): Promise<boolean> {
    return this.#database.read(hasNoUsers);
  }

  /** A page of accounts after the id `after`, in the order of their ids. */
  async list(after: string, limit: number): Promise<readonly User[]> {
    return (await this.#database.read((tx) => listUsers(tx, after, limit))).map(toUser);
  }

  /** Those of `userIds` that have an account here. */
  async existing(userIds: readonly UserId[]): Promise<ReadonlySet<string>> {
    return new Set(await this.#database.read((tx) => existingUsers(tx, userIds)));
  }

  /** Those of `userIds` that have an account here which isn't deactivated. */
  async activeAmong(userIds: readonly UserId[]): Promise<ReadonlySet<string>> {
    return new Set(await this.#database.read((tx) => activeUsers(tx, userIds)));
  }

  /** Reads whose accounts were erased. Before the first request. */
  async load(): Promise<void> {
    for (const userId of await this.#database.read(listErasedUsers)) this.#erased.add(userId);
  }

  /** Whether a user left with the wish to be forgotten. No query: everything that is read asks. */
  isErased(userId: UserId): boolean {
    return this.#erased.has(userId);
  }

  /**
   * Changes the password. Other sessions end with `logOutOthers`; that of `currentDeviceId` never does.
   * Spec: client-server-api/#password-management
   */
  async setPassword(
    userId: UserId,
    password: string,
    options: {
      readonly logOutOthers: boolean;
      readonly currentDeviceId?: string | undefined;
      /** What is done in the same transaction. */
      readonly also?: (tx: WriteTx) => Promise<void>;
    },
  ): Promise<void> {
    const passwordHash = await this.#passwords.hash(password);
    await this.#change(userId, { password_hash: passwordHash }, async (tx) => {
      await options.also?.(tx);
      if (options.logOutOthers) await this.#devices.deleteAllIn(tx, userId, options.currentDeviceId);
    });
  }

  /** Makes an account an administrator, or no longer one. */
  setAdmin(userId: UserId, isAdmin: boolean): Promise<void> {
    return this.#change(userId, { is_admin: isAdmin ? 1 : 0 });
  }

  /** Locks or unlocks an account; its sessions stay. Spec: client-server-api/#account-locking */
  setLocked(userId: UserId, isLocked: boolean): Promise<void> {
    return this.#change(userId, { is_locked: isLocked ? 1 : 0 });
  }

  /** Suspends an account, or ends that. Spec: client-server-api/#account-suspension */
  setSuspended(userId: UserId, isSuspended: boolean): Promise<void> {
    return this.#change(userId, { is_suspended: isSuspended ? 1 : 0 });
  }

  /**
   * Ends an account for good: no password, no sessions, no profile; with `erase` no account data either, and what it
   * wrote is shown to newcomers redacted. Spec: client-server-api/#account-deactivation
   */
  async deactivate(userId: UserId, options: { readonly erase: boolean }): Promise<void> {
    const change = { password_hash: null, is_deactivated: 1, is_admin: 0, ...(options.erase ? { is_erased: 1 } : {}) };
    await this.#change(userId, change, async (tx) => {
      await this.#devices.deleteAllIn(tx, userId);
      await this.#profiles.clear(tx, userId);
      for (const tell of this.#deactivated) await tell(tx, userId, options);
    });
  }

  /** Makes a guest a user like others, who logs in with a password, within a transaction. Spec: client-server-api/#guest-access */
  upgradeGuest(tx: WriteTx, userId: UserId, passwordHash: string): Promise<void> {
    return this.#changeIn(tx, userId, { is_guest: 0, password_hash: passwordHash });
  }

  async #change(userId: UserId, change: UserChange, also?: (tx: WriteTx) => Promise<void>): Promise<void> {
    await this.#database.write('main', async (tx) => {
      await this.#changeIn(tx, userId, change);
      await also?.(tx);
    });
  }

  async #changeIn(tx: WriteTx, userId: UserId, change: UserChange): Promise<void> {
    if (!(await updateUser(tx, userId, change))) throw notFound('No such user');
    tx.onCommit(() => {
      this.#authenticator.forget(userId);
      if (change.is_erased === 1) this.#erased.add(userId);
      if (change.is_erased === 0) this.#erased.delete(userId);
    });
  }
}

type UserChange = Parameters<typeof updateUser>[2];

/** 400 `M_USER_IN_USE`. */
export function userInUse(): MatrixError {
  return new MatrixError('M_USER_IN_USE', 'This user name is taken');
}

function toUser(row: UserRow): User {
  return {
    userId: row.user_id,
    isAdmin: row.is_admin === 1,
    isGuest: row.is_guest === 1,
    userType: row.user_type ?? undefined,
    isLocked: row.is_locked === 1,
    isSuspended: row.is_suspended === 1,
    isDeactivated: row.is_deactivated === 1,
    isErased: row.is_erased === 1,
    createdTs: row.created_ts,
  };
}
