import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { FederationCalls } from './calls.ts';
import { toClientError } from './errors.ts';

const PROFILES_MAX = 5_000;
/** Clients ask for the same profile again and again. */
const PROFILE_KEPT_MS = 60_000;

/** What clients may ask of other servers through us. Errors are such as clients get. */
export class RemoteLookups {
  readonly #calls: FederationCalls;
  readonly #clock: Clock;
  readonly #profiles = new LRUCache<UserId, { readonly profile: Promise<JsonObject>; readonly untilTs: number }>({
    max: PROFILES_MAX,
  });

  constructor(calls: FederationCalls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  /** The profile of another server's user. @throws MatrixError 404, 403, 502 */
  async profile(userId: UserId): Promise<JsonObject> {
    const known = this.#profiles.get(userId);
    const now = this.#clock.now();
    if (known !== undefined && known.untilTs > now) return known.profile;
    const profile = this.#calls.profile(serverNameOf(userId), userId).catch((error: unknown) => {
      this.#profiles.delete(userId);
      throw toClientError(error);
    });
    this.#profiles.set(userId, { profile, untilTs: now + PROFILE_KEPT_MS });
    return profile;
  }

  /** A page of another server's directory. @throws MatrixError 502 and what the server refuses with */
  async publicRooms(server: ServerName, body: JsonObject): Promise<JsonObject> {
    try {
      return await this.#calls.publicRooms(server, body);
    } catch (error) {
      throw toClientError(error);
    }
  }
}
