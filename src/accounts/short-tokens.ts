import type { Clock } from '../clock.ts';
import type { Remote } from '../http/route.ts';
import { forbidden } from '../protocol/errors.ts';
import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import { hashSecret, newSecret } from './secrets.ts';
import { parseWish, type Session, type Sessions, type SessionWish, userLocked } from './sessions.ts';
import { deleteShortToken, findShortToken, insertShortToken, type ShortTokenPurpose } from './store/short-tokens.ts';
import { findUser } from './store/users.ts';

/** A token as it is handed out; it is kept nowhere. */
export interface ShortToken {
  readonly token: string;
  readonly lifetimeMs: number;
}

const LIFETIME_MS: Readonly<Record<ShortTokenPurpose, number>> = {
  openid: 60 * 60 * 1000,
  // What the spec recommends. Spec: client-server-api/#post_matrixclientv1loginget_token
  login: 2 * 60 * 1000,
};

/** How long the browser and the client may take to hand the token over: the client may have to load all of itself first. */
const SSO_LIFETIME_MS = 30_000;

/** Called in the transaction that logs in with a token. */
export type NotedLogIn = (tx: WriteTx, session: Session, note: string) => Promise<void>;

/** Tokens for one purpose and a short time. */
export class ShortTokens {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #sessions: Sessions;
  readonly #logIns: NotedLogIn[] = [];

  constructor(database: Database, clock: Clock, sessions: Sessions) {
    this.#database = database;
    this.#clock = clock;
    this.#sessions = sessions;
  }

  /** A new token of a user. */
  async issue(purpose: ShortTokenPurpose, userId: UserId): Promise<ShortToken> {
    return this.#database.write('main', (tx) => this.#issue(tx, purpose, userId, LIFETIME_MS[purpose], null));
  }

  /** A login token at the end of a log-in in the browser; `note` comes back to `onLogIn` when the token is used. */
  issueAfterSso(tx: WriteTx, userId: UserId, note: string): Promise<ShortToken> {
    return this.#issue(tx, 'login', userId, SSO_LIFETIME_MS, note);
  }

  /** Runs `fn` in each transaction that logs in with a token that has a note. It may refuse by throwing. */
  onLogIn(fn: NotedLogIn): void {
    this.#logIns.push(fn);
  }

  async #issue(
    tx: WriteTx,
    purpose: ShortTokenPurpose,
    userId: UserId,
    lifetimeMs: number,
    note: string | null,
  ): Promise<ShortToken> {
    const token = newSecret(`ing_${purpose}_`);
    const expires_ts = this.#clock.now() + lifetimeMs;
    await insertShortToken(tx, { token_hash: hashSecret(token), purpose, user_id: userId, expires_ts, note });
    return { token, lifetimeMs };
  }

  /** Whose OpenID token it is. Spec: server-server-api/#get_matrixfederationv1openiduserinfo */
  async openIdUser(token: string): Promise<UserId | undefined> {
    const found = await this.#database.read((tx) => findShortToken(tx, hashSecret(token), 'openid', this.#clock.now()));
    return found === undefined ? undefined : parseUserId(found.user_id);
  }

  /** Logs in with a login token, which is used up. Throws 403 where it isn't valid. */
  async logIn(token: string, wish: SessionWish, remote: Remote): Promise<Session> {
    parseWish(wish);
    const hash = hashSecret(token);
    return this.#database.write('main', async (tx) => {
      const found = await findShortToken(tx, hash, 'login', this.#clock.now());
      const userId = parseUserId(found?.user_id ?? '');
      const user = userId === undefined ? undefined : await findUser(tx, userId);
      if (userId === undefined || user === undefined || user.is_deactivated === 1) {
        throw forbidden('The login token is not valid');
      }
      if (user.is_locked === 1) throw userLocked();
      await deleteShortToken(tx, hash);
      const session = await this.#sessions.open(tx, userId, wish, remote);
      const note = found?.note ?? undefined;
      if (note !== undefined) for (const tell of this.#logIns) await tell(tx, session, note);
      return session;
    });
  }
}
