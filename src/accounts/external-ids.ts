import type { Clock } from '../clock.ts';
import { parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import { type ExternalIdRow, externalIdsOf, findUserByExternalId, insertExternalId } from './store/external-ids.ts';

/** An identity at a provider of single sign-on. */
export interface ExternalId {
  readonly provider: string;
  readonly subject: string;
}

/**
 * Which identities elsewhere belong to which user. They stay with a deactivated account, so that whoever had it doesn't get
 * another one by logging in again.
 */
export class ExternalIds {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Whose identity it is, deactivated or not. */
  async findIn(tx: ReadTx, { provider, subject }: ExternalId): Promise<UserId | undefined> {
    return parseUserId((await findUserByExternalId(tx, provider, subject)) ?? '');
  }

  listIn(tx: ReadTx, userId: UserId): Promise<readonly ExternalIdRow[]> {
    return externalIdsOf(tx, userId);
  }

  /** The identities of a user. */
  list(userId: UserId): Promise<readonly ExternalIdRow[]> {
    return this.#database.read((tx) => externalIdsOf(tx, userId));
  }

  /** Gives an identity to a user. Rejects where it belongs to somebody already. */
  async addIn(tx: WriteTx, userId: UserId, { provider, subject }: ExternalId): Promise<void> {
    await insertExternalId(tx, { provider, subject, user_id: userId, created_ts: this.#clock.now() });
  }
}
