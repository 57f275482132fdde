import { isDeepStrictEqual } from 'node:util';
import { LRUCache } from 'lru-cache';
import type { Jobs } from '../jobs/index.ts';
import { upTo } from '../lru.ts';
import type { UserId } from '../protocol/ids/index.ts';
import type { JsonValue } from '../protocol/json/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import { checkProfileKey, EMPTY_PROFILE, fromRow, type Profile, toRow, withField, withoutField } from './profile.ts';
import { enqueueProfilePropagation } from './propagation.ts';
import { findProfile, profilesOf, upsertProfile } from './store/profiles.ts';

const CACHE_ENTRIES_MAX = 20_000;

/** The profiles of our own users. */
export class Profiles {
  readonly #database: Database;
  readonly #hub: Hub;
  readonly #jobs: Jobs;
  readonly #cache = new LRUCache<UserId, { readonly profile: Profile | undefined }>(upTo(CACHE_ENTRIES_MAX));
  /** Counts changes: what was read before one must not be cached after it. */
  #generation = 0;

  constructor(database: Database, hub: Hub, jobs: Jobs) {
    this.#database = database;
    this.#hub = hub;
    this.#jobs = jobs;
  }

  /** The profile of one of our users; undefined where there is no such user. From memory, where it was read before. */
  async find(userId: UserId): Promise<Profile | undefined> {
    const cached = this.#cache.get(userId);
    if (cached !== undefined) return cached.profile;
    const generation = this.#generation;
    const profile = await this.#database.read((tx) => this.findIn(tx, userId));
    if (generation === this.#generation) this.#cache.set(userId, { profile });
    return profile;
  }

  /** `find` within a transaction: what that transaction sees, which may be older or newer than what is in memory. */
  async findIn(tx: ReadTx, userId: UserId): Promise<Profile | undefined> {
    return fromRow(await findProfile(tx, userId));
  }

  /** The profiles of several users. Those without one are missing. */
  async findMany(userIds: readonly UserId[]): Promise<ReadonlyMap<string, Profile>> {
    const rows = await this.#database.read((tx) => profilesOf(tx, userIds));
    return new Map(rows.map((row) => [row.user_id, fromRow(row) ?? EMPTY_PROFILE]));
  }

  /** The profile of a new account. */
  async create(tx: WriteTx, userId: UserId, displayname: string | undefined): Promise<void> {
    await this.#store(tx, userId, { ...EMPTY_PROFILE, displayname });
  }

  /** Sets a field. Throws where it isn't allowed to have this value. */
  async set(userId: UserId, key: string, value: JsonValue): Promise<void> {
    checkProfileKey(key);
    await this.#database.write('main', (tx) => this.#update(tx, userId, (profile) => withField(profile, key, value)));
  }

  /** Removes a field, if it is there. */
  async delete(userId: UserId, key: string): Promise<void> {
    checkProfileKey(key);
    await this.#database.write('main', (tx) => this.#update(tx, userId, (profile) => withoutField(profile, key)));
  }

  /** Removes all fields, within a transaction; the rooms of the user aren't told. */
  async clear(tx: WriteTx, userId: UserId): Promise<void> {
    await this.#store(tx, userId, EMPTY_PROFILE);
  }

  async #update(tx: WriteTx, userId: UserId, change: (profile: Profile) => Profile): Promise<void> {
    const before = fromRow(await findProfile(tx, userId)) ?? EMPTY_PROFILE;
    const after = change(before);
    if (isDeepStrictEqual(before, after)) return;
    await this.#store(tx, userId, after);
    // Only these two are part of membership events.
    if (before.displayname !== after.displayname || before.avatarUrl !== after.avatarUrl) {
      await enqueueProfilePropagation(this.#jobs, tx, userId);
    }
  }

  async #store(tx: WriteTx, userId: UserId, profile: Profile): Promise<void> {
    await upsertProfile(tx, toRow(userId, profile, tx.nextPosition('profiles')));
    tx.onCommit(() => {
      this.#generation++;
      this.#cache.delete(userId);
      this.#hub.wake(['stream:profiles']);
    });
  }
}
