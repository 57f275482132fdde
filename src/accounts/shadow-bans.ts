import type { Clock } from '../clock.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import { deleteShadowBan, insertShadowBan, listShadowBans } from './store/restrictions.ts';

/**
 * Who is shadow-banned: all that they do is answered as if it worked, and nobody else gets to see it. All of them are in
 * memory, since every event that is sent asks.
 */
export class ShadowBans {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #banned = new Set<string>();

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Reads who is banned. Before the first request. */
  async load(): Promise<void> {
    for (const userId of await this.#database.read(listShadowBans)) this.#banned.add(userId);
  }

  /** Whether a user is banned. No query. */
  has(userId: UserId): boolean {
    return this.#banned.has(userId);
  }

  /** Bans a user, or ends that; resolves when it is durable. */
  async set(userId: UserId, isBanned: boolean): Promise<void> {
    await this.#database.write('main', async (tx) => {
      if (isBanned) await insertShadowBan(tx, userId, this.#clock.now());
      else await deleteShadowBan(tx, userId);
      tx.onCommit(() => void (isBanned ? this.#banned.add(userId) : this.#banned.delete(userId)));
    });
  }
}
