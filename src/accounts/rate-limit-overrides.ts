import { RATE_LIMITS, type RateLimit, type RateLimitName } from '../config/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import { listOverrides, type OverrideRow, replaceOverrides } from './store/restrictions.ts';

/** A user's own limits: `exempt` for none at all, or figures for some of them; the others are the usual ones. */
export type OwnRateLimits = 'exempt' | ReadonlyMap<RateLimitName, RateLimit>;

const EXEMPT = '*';

/** The rate limits of single users, set by administrators. All of them are in memory, since every request asks. */
export class RateLimitOverrides {
  readonly #database: Database;
  readonly #byUser = new Map<string, OwnRateLimits>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Reads the limits of all users who have their own. Before the first request. */
  async load(): Promise<void> {
    const rows = await this.#database.read(listOverrides);
    for (const [userId, own] of Map.groupBy(rows, (row) => row.user_id)) this.#byUser.set(userId, fromRows(own));
  }

  /** A user's own limits, or undefined. No query. */
  of(userId: string): OwnRateLimits | undefined {
    return this.#byUser.get(userId);
  }

  /** What the rate limits ask for a key: a user id, or an address, which never has limits of its own. No query. */
  find(key: string, name: RateLimitName): RateLimit | 'exempt' | undefined {
    const own = this.#byUser.get(key);
    return own === undefined || own === 'exempt' ? own : own.get(name);
  }

  /** Gives a user limits of their own, or (undefined) the usual ones; resolves when it is durable. */
  async set(userId: UserId, own: OwnRateLimits | undefined): Promise<void> {
    await this.#database.write('main', async (tx) => {
      await replaceOverrides(tx, userId, own === undefined ? [] : toRows(userId, own));
      tx.onCommit(() => {
        if (own === undefined) this.#byUser.delete(userId);
        else this.#byUser.set(userId, own);
      });
    });
  }
}

function toRows(userId: UserId, own: OwnRateLimits): readonly OverrideRow[] {
  if (own === 'exempt') return [{ user_id: userId, name: EXEMPT, per_second: 0, burst: 0 }];
  return [...own].map(([name, { perSecond, burst }]) => ({ user_id: userId, name, per_second: perSecond, burst }));
}

function fromRows(rows: readonly OverrideRow[]): OwnRateLimits {
  if (rows.some((row) => row.name === EXEMPT)) return 'exempt';
  const own = new Map<RateLimitName, RateLimit>();
  for (const row of rows) if (isName(row.name)) own.set(row.name, { perSecond: row.per_second, burst: row.burst });
  return own;
}

function isName(name: string): name is RateLimitName {
  return Object.hasOwn(RATE_LIMITS, name);
}
