import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { Authenticator, Remote, Requester } from '../http/route.ts';
import { upTo } from '../lru.ts';
import { unknownToken } from '../protocol/errors.ts';
import { parseDeviceId, parseUserId, type UserId } from '../protocol/ids/index.ts';
import type { Database } from '../storage/index.ts';
import type { LastSeen } from './last-seen.ts';
import { hashSecret } from './secrets.ts';
import { findToken, finishRotation, type TokenRow } from './store/tokens.ts';

/** How many tokens are kept in memory. */
const CACHE_ENTRIES_MAX = 50_000;
/** A device is noted as seen at most this often. */
const NOTE_INTERVAL_MS = 30_000;

interface Entry {
  readonly requester: Requester;
  /** Infinity for tokens that don't expire. */
  readonly expiresTs: number;
  notedTs: number;
  notedIp: string;
}

/**
 * Turns access tokens into users. A token that was seen before costs one hash and one look-up, no query and no promise.
 * Whoever changes what a token is worth calls `forget` after the commit.
 */
export class TokenAuthenticator implements Authenticator {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #lastSeen: LastSeen;
  readonly #cache: LRUCache<string, Entry>;
  readonly #hashesOf = new Map<UserId, Set<string>>();
  /** Counts calls of `forget`: what was read before one must not be cached after it. */
  #generation = 0;
  readonly #listeners: ((userId: UserId) => void)[] = [];

  constructor(database: Database, clock: Clock, lastSeen: LastSeen) {
    this.#database = database;
    this.#clock = clock;
    this.#lastSeen = lastSeen;
    this.#cache = new LRUCache({
      ...upTo(CACHE_ENTRIES_MAX),
      dispose: (entry, hash) => this.#unindex(entry.requester.userId, hash),
    });
  }

  /** Throws `unknownToken()`, with `soft_logout` where the token has only expired. */
  authenticate(accessToken: string, remote: Remote): Promise<Requester> | Requester {
    const hash = hashSecret(accessToken);
    const entry = this.#cache.get(hash);
    return entry === undefined ? this.#load(hash, remote) : this.#admit(entry, remote);
  }

  /** Forgets the tokens of a user, so that they are looked up again. Call it once the change is committed. */
  forget(userId: UserId): void {
    this.#generation++;
    for (const hash of [...(this.#hashesOf.get(userId) ?? [])]) this.#cache.delete(hash);
    for (const listener of this.#listeners) listener(userId);
  }

  onChanged(listener: (userId: UserId) => void): void {
    this.#listeners.push(listener);
  }

  async #load(hash: string, remote: Remote): Promise<Requester> {
    const generation = this.#generation;
    const row = await this.#database.read((tx) => findToken(tx, hash));
    if (row === undefined) throw unknownToken('Unknown access token');
    const entry = toEntry(row);
    // An expired token doesn't count as used.
    if (this.#clock.now() < entry.expiresTs) await this.#finishRotation(row, entry.requester.userId);
    if (generation === this.#generation) this.#remember(hash, entry);
    return this.#admit(entry, remote);
  }

  #admit(entry: Entry, remote: Remote): Requester {
    const now = this.#clock.now();
    if (now >= entry.expiresTs) throw unknownToken('The access token has expired', { softLogout: true });
    if (now - entry.notedTs >= NOTE_INTERVAL_MS || entry.notedIp !== remote.ip) {
      entry.notedTs = now;
      entry.notedIp = remote.ip;
      this.#lastSeen.note(entry.requester, remote);
    }
    return entry.requester;
  }

  /** The first use of a refreshed token ends the life of the refresh token that it came from. */
  async #finishRotation(row: NonNullable<TokenRow>, userId: UserId): Promise<void> {
    const { refresh_id: keptId, replaces_id: replacedId } = row;
    const deviceId = row.device_id === null ? undefined : parseDeviceId(row.device_id);
    if (keptId === null || replacedId === null || deviceId === undefined) return;
    await this.#database.write('main', async (tx) => {
      await finishRotation(tx, { userId, deviceId, replacedId, keptId });
      tx.onCommit(() => this.forget(userId));
    });
  }

  #remember(hash: string, entry: Entry): void {
    const { userId } = entry.requester;
    this.#cache.set(hash, entry);
    const hashes = this.#hashesOf.get(userId);
    if (hashes === undefined) this.#hashesOf.set(userId, new Set([hash]));
    else hashes.add(hash);
  }

  #unindex(userId: UserId, hash: string): void {
    const hashes = this.#hashesOf.get(userId);
    if (hashes?.delete(hash) && hashes.size === 0) this.#hashesOf.delete(userId);
  }
}

function toEntry(row: NonNullable<TokenRow>): Entry {
  const userId = parseUserId(row.user_id);
  if (userId === undefined)
    throw new Error(`the database holds a token of a user with a bad id: token ${row.token_id}`);
  const requester: Requester = {
    userId,
    deviceId: row.device_id === null ? undefined : parseDeviceId(row.device_id),
    isGuest: row.is_guest === 1,
    isAdmin: row.is_admin === 1,
    isSuspended: row.is_suspended === 1,
    isLocked: row.is_locked === 1,
    tokenId: row.token_id,
  };
  return { requester, expiresTs: row.expires_ts ?? Number.POSITIVE_INFINITY, notedTs: 0, notedIp: '' };
}
