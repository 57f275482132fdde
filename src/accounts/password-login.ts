import type { RateLimits } from '../http/rate-limits.ts';
import type { Remote } from '../http/route.ts';
import { forbidden } from '../protocol/errors.ts';
import { localpartOf, parseUserId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { Passwords } from './passwords.ts';
import { parseWish, type Session, type Sessions, type SessionWish, userLocked } from './sessions.ts';
import { findUser, type UserRow, upgradePasswordHash } from './store/users.ts';

/** Checks passwords, with all that slows down those who guess them, and opens sessions. */
export class PasswordLogin {
  readonly #database: Database;
  readonly #passwords: Passwords;
  readonly #sessions: Sessions;
  readonly #rateLimits: RateLimits;
  readonly #serverName: ServerName;
  readonly isEnabled: boolean;

  constructor(parts: {
    readonly database: Database;
    readonly passwords: Passwords;
    readonly sessions: Sessions;
    readonly rateLimits: RateLimits;
    readonly serverName: ServerName;
    /** False: no password is right. */
    readonly isEnabled: boolean;
  }) {
    this.#database = parts.database;
    this.#passwords = parts.passwords;
    this.#sessions = parts.sessions;
    this.#rateLimits = parts.rateLimits;
    this.#serverName = parts.serverName;
    this.isEnabled = parts.isEnabled;
  }

  /**
   * Logs in with a password. `user` is a localpart or a whole user id.
   * Throws 403 `M_FORBIDDEN` with the same words and after the same time, whether the account or the password is wrong.
   */
  async logIn(user: string, password: string, wish: SessionWish, remote: Remote): Promise<Session> {
    parseWish(wish);
    const account = await this.check(user, password, 'login_account');
    const userId = account && parseUserId(account.user_id);
    if (account === undefined || userId === undefined) throw forbidden('Wrong user name or password');
    if (account.is_locked === 1) throw userLocked();
    return this.#database.write('main', async (tx) => {
      const now = await findUser(tx, userId);
      // The password was changed, or the account deactivated, while we were looking at the old one.
      if (now?.password_hash !== account.password_hash) throw forbidden('Wrong user name or password');
      return this.#sessions.open(tx, userId, wish, remote);
    });
  }

  /** The account, provided that the password is its own; counts failures against the account. */
  async check(user: string, password: string, attempts?: 'login_account'): Promise<UserRow | undefined> {
    if (!this.isEnabled) return undefined;
    const userId = this.#userIdOf(user);
    const key = userId ?? user.slice(0, 255);
    this.#limitFailures(key);
    if (attempts !== undefined) this.#rateLimits.take(attempts, key);
    const account = userId === undefined ? undefined : await this.#find(userId);
    const hash = account?.is_deactivated === 1 ? undefined : (account?.password_hash ?? undefined);
    if (!(await this.#passwords.verify(password, hash)) || account === undefined || hash === undefined) {
      this.#rateLimits.tryTake('login_failed', key);
      return undefined;
    }
    return this.#upgrade(account, hash, password);
  }

  #limitFailures(key: string): void {
    if (this.#rateLimits.waitMs('login_failed', key) > 0) this.#rateLimits.take('login_failed', key);
  }

  /** Stores a better hash while the password is known. */
  async #upgrade(account: UserRow, hash: string, password: string): Promise<UserRow> {
    const better = await this.#passwords.upgrade(password, hash);
    const userId = parseUserId(account.user_id);
    if (better === undefined || userId === undefined) return account;
    await this.#database.write('main', (tx) => upgradePasswordHash(tx, userId, hash, better));
    return { ...account, password_hash: better };
  }

  /** The account as it was written, or with its name in lower case, since new names have no other. */
  async #find(userId: UserId): Promise<UserRow | undefined> {
    const lower = parseUserId(`@${localpartOf(userId).toLowerCase()}:${serverNameOf(userId)}`);
    return this.#database.read(
      async (tx) => (await findUser(tx, userId)) ?? (lower === undefined ? undefined : await findUser(tx, lower)),
    );
  }

  #userIdOf(user: string): UserId | undefined {
    const userId = parseUserId(user.startsWith('@') ? user : `@${user}:${this.#serverName}`);
    return userId !== undefined && serverNameOf(userId) === this.#serverName ? userId : undefined;
  }
}
