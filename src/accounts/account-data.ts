import { LRUCache } from 'lru-cache';
import { upTo } from '../lru.ts';
import { MatrixError, tooLarge } from '../protocol/errors.ts';
import { parseUserId, type RoomId, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readObject } from '../protocol/json/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import {
  type AccountDataRoom,
  type AccountDataRow,
  accountDataBetween,
  DELETED,
  deleteAccountDataOf,
  findAccountData,
  findAccountDataContent,
  upsertAccountData,
} from './store/account-data.ts';
import { addAccountDataUsage, deleteAccountDataUsage, findAccountDataUsage } from './store/account-data-usage.ts';

/** One piece of account data, as `/sync` needs it. */
export interface AccountDataItem {
  /** Undefined for data that belongs to no room. */
  readonly roomId: string | undefined;
  readonly type: string;
  /** JSON object, as text. */
  readonly content: string;
  readonly position: number;
}

const CACHE_ENTRIES_MAX = 50_000;
const CACHE_CHARS_MAX = 16 * 1024 * 1024;
const CHANGES_REMEMBERED_MAX = 50_000;

/**
 * What a user may keep with us, beside what the server itself writes: a first sync answers with all of it. Deleted items
 * count as items, since clients must still be told.
 */
export const ACCOUNT_DATA_ITEMS_MAX = 20_000;
export const ACCOUNT_DATA_CHARS_MAX = 10 * 1024 * 1024;

/** What an entry of the cache costs beside its content. */
const CACHED_CHARS = 200;

/** Types that only the server itself writes. Spec: client-server-api/#server-behaviour-13 */
const SERVER_MANAGED = new Set(['m.fully_read', 'm.push_rules']);
const IGNORED_USERS = 'm.ignored_user_list';
const TAGS = 'm.tag';
/** Each change of a tag writes all tags of the room. */
const TAGS_CHARS_MAX = 64 * 1024;

/** What users keep with us, for all rooms or for one. Spec: client-server-api/#client-config */
export class AccountData {
  readonly #database: Database;
  readonly #hub: Hub;
  readonly #cache = new LRUCache<string, { readonly json: string | undefined }>({
    maxSize: CACHE_CHARS_MAX,
    sizeCalculation: ({ json }) => (json?.length ?? 0) + CACHED_CHARS,
  });
  readonly #ignored = new LRUCache<UserId, ReadonlySet<UserId>>(upTo(CACHE_ENTRIES_MAX));
  /** The last change of users since this process started. */
  readonly #changedAt: LRUCache<UserId, number>;
  /** Up to here changes may be missing from `#changedAt`. */
  #rememberedFrom: number;
  /** Counts changes: what was read before one must not be cached after it. */
  #generation = 0;

  constructor(database: Database, hub: Hub) {
    this.#database = database;
    this.#hub = hub;
    this.#rememberedFrom = database.positions.current('account_data');
    this.#changedAt = new LRUCache({
      ...upTo(CHANGES_REMEMBERED_MAX),
      dispose: (position, _, reason) => {
        if (reason === 'evict') this.#rememberedFrom = Math.max(this.#rememberedFrom, position);
      },
    });
  }

  /** The content as JSON text, or undefined. `roomId` is undefined for data that belongs to no room. */
  async find(userId: UserId, roomId: RoomId | undefined, type: string): Promise<string | undefined> {
    const key = cacheKey(userId, roomId ?? '', type);
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached.json;
    const generation = this.#generation;
    const json = await this.#database.read((tx) => findAccountData(tx, userId, roomId ?? '', type));
    if (generation === this.#generation) this.#cache.set(key, { json });
    return json;
  }

  /** Sets what a client sent. Throws 405 for types that only the server writes, 413 where the user has too much. */
  async setByClient(userId: UserId, roomId: RoomId | undefined, type: string, content: JsonObject): Promise<void> {
    if (SERVER_MANAGED.has(type)) throw serverManaged(type);
    await this.#database.write('main', (tx) =>
      withinQuota(tx, userId, () => this.set(tx, userId, roomId, type, content)),
    );
  }

  /** Sets account data within a transaction, whatever its type. */
  async set(
    tx: WriteTx,
    userId: UserId,
    roomId: RoomId | undefined,
    type: string,
    content: JsonObject,
  ): Promise<number> {
    return this.#put(tx, userId, roomId, type, JSON.stringify(content));
  }

  async #put(tx: WriteTx, userId: UserId, roomId: RoomId | undefined, type: string, content: string): Promise<number> {
    const room: AccountDataRoom = roomId ?? '';
    if (!SERVER_MANAGED.has(type)) await count(tx, userId, room, type, content);
    const position = tx.nextPosition('account_data');
    await upsertAccountData(tx, { user_id: userId, room_id: room, type, content, position });
    tx.onCommit(() => {
      this.#generation++;
      this.#cache.delete(cacheKey(userId, room, type));
      if (type === IGNORED_USERS) this.#ignored.delete(userId);
      this.#changedAt.set(userId, position);
      this.#hub.wake([`user:${userId}`, 'stream:account_data'], { stream: 'account_data', position });
    });
    return position;
  }

  /**
   * Deletes account data; `/sync` shows it as empty to who had it. Throws 405 for types that only the server writes.
   * MSC3391.
   */
  async delete(userId: UserId, roomId: RoomId | undefined, type: string): Promise<void> {
    if (SERVER_MANAGED.has(type)) throw serverManaged(type);
    await this.#database.write('main', async (tx) => {
      if ((await findAccountData(tx, userId, roomId ?? '', type)) === undefined) return;
      await this.#put(tx, userId, roomId, type, DELETED);
    });
  }

  /** Deletes all that a user kept with us, within a transaction. */
  async deleteAll(tx: WriteTx, userId: UserId): Promise<void> {
    await deleteAccountDataOf(tx, userId);
    await deleteAccountDataUsage(tx, userId);
    tx.onCommit(() => {
      this.#generation++;
      this.#cache.clear();
      this.#ignored.delete(userId);
    });
  }

  /** What changed for a user after `from`, up to and including `to`, in order. */
  async changedBetween(userId: UserId, from: number, to: number): Promise<readonly AccountDataItem[]> {
    if (!this.mayHaveChanged(userId, from)) return [];
    return this.#database.read((tx) => this.changedBetweenIn(tx, userId, from, to));
  }

  /** `changedBetween` within a transaction, and all that there is with `from` 0. */
  async changedBetweenIn(tx: ReadTx, userId: UserId, from: number, to: number): Promise<readonly AccountDataItem[]> {
    if (!this.mayHaveChanged(userId, from)) return [];
    const rows = await accountDataBetween(tx, userId, from, to);
    // Who never had it need not know that it is gone.
    return (from === 0 ? rows.filter((row) => row.content !== DELETED) : rows).map(toItem);
  }

  /** False only where nothing can have changed for the user after `from`; answers without a query. */
  mayHaveChanged(userId: UserId, from: number): boolean {
    return from < this.#rememberedFrom || (this.#changedAt.get(userId) ?? 0) > from;
  }

  /** Whom the user ignores. Spec: client-server-api/#ignoring-users */
  async ignoredUsers(userId: UserId): Promise<ReadonlySet<UserId>> {
    const cached = this.#ignored.get(userId);
    if (cached !== undefined) return cached;
    const generation = this.#generation;
    const ignored = parseIgnored(await this.find(userId, undefined, IGNORED_USERS));
    if (generation === this.#generation) this.#ignored.set(userId, ignored);
    return ignored;
  }

  /** The user's tags of a room, by name. Spec: client-server-api/#room-tagging */
  async tags(userId: UserId, roomId: RoomId): Promise<JsonObject> {
    return parseTags(await this.find(userId, roomId, TAGS));
  }

  /** Sets a tag of a room. Throws 413 where the user or the room has too much. */
  async setTag(userId: UserId, roomId: RoomId, tag: string, content: JsonObject): Promise<void> {
    await this.#changeTags(userId, roomId, (tags) => {
      const changed = { ...tags, [tag]: content };
      if (JSON.stringify(changed).length > TAGS_CHARS_MAX) throw tooLarge('This room has too many tags');
      return changed;
    });
  }

  /** Removes a tag of a room, if it is there. */
  async deleteTag(userId: UserId, roomId: RoomId, tag: string): Promise<void> {
    await this.#changeTags(userId, roomId, (tags) =>
      Object.fromEntries(Object.entries(tags).filter(([name]) => name !== tag)),
    );
  }

  async #changeTags(userId: UserId, roomId: RoomId, change: (tags: JsonObject) => JsonObject): Promise<void> {
    await this.#database.write('main', async (tx) => {
      const tags = parseTags(await findAccountData(tx, userId, roomId, TAGS));
      await withinQuota(tx, userId, () => this.set(tx, userId, roomId, TAGS, { tags: change(tags) }));
    });
  }
}

/** Notes what a write adds to what the user has. Before the write. */
async function count(tx: WriteTx, userId: UserId, room: AccountDataRoom, type: string, content: string): Promise<void> {
  const before = await findAccountDataContent(tx, userId, room, type);
  const growth = { items: before === undefined ? 1 : 0, chars: content.length - (before?.length ?? 0) };
  if (growth.items !== 0 || growth.chars !== 0) await addAccountDataUsage(tx, userId, growth);
}

/** Fails the transaction where a client's write makes it too much; who has too much already can still have less. */
async function withinQuota(tx: WriteTx, userId: UserId, write: () => Promise<unknown>): Promise<void> {
  const before = await findAccountDataUsage(tx, userId);
  await write();
  const { items, chars } = await findAccountDataUsage(tx, userId);
  if (items > ACCOUNT_DATA_ITEMS_MAX && items > before.items)
    throw tooLarge('You have too many pieces of account data');
  if (chars > ACCOUNT_DATA_CHARS_MAX && chars > before.chars)
    throw tooLarge('Your account data are too large in total');
}

function cacheKey(userId: UserId, room: AccountDataRoom, type: string): string {
  return `${userId}\0${room}\0${type}`;
}

function toItem(row: AccountDataRow): AccountDataItem {
  const roomId = row.room_id === '' ? undefined : row.room_id;
  return { roomId, type: row.type, content: row.content === DELETED ? '{}' : row.content, position: row.position };
}

function serverManaged(type: string): MatrixError {
  return new MatrixError('M_BAD_JSON', `${type} can not be set through this API`, { status: 405 });
}

function parseTags(json: string | undefined): JsonObject {
  return (json === undefined ? undefined : readObject(parseContent(json), 'tags')) ?? {};
}

function parseIgnored(json: string | undefined): ReadonlySet<UserId> {
  const users = json === undefined ? undefined : readObject(parseContent(json), 'ignored_users');
  return new Set(
    Object.keys(users ?? {})
      .map(parseUserId)
      .filter((userId) => userId !== undefined),
  );
}

function parseContent(json: string): JsonObject {
  const content: unknown = JSON.parse(json);
  return isJsonObject(content) ? content : {};
}
