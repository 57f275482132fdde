import { LRUCache } from 'lru-cache';
import type { Clock } from '../../clock.ts';
import { upTo } from '../../lru.ts';
import { type KeyId, parseKeyId, type ServerName } from '../../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readArray } from '../../protocol/json/index.ts';
import type { Database } from '../../storage/index.ts';
import type { FederationClient } from '../client.ts';
import { parseKeyObject, type ServerKey } from './key-object.ts';
import { listServerKeys, putServerKeys } from './key-store.ts';
import type { OwnKeys } from './own-keys.ts';

export interface KeyRingDeps {
  readonly database: Database;
  readonly client: Pick<FederationClient, 'request'>;
  readonly own: OwnKeys;
  readonly clock: Clock;
  readonly serverName: ServerName;
  /** Servers that are asked about others that can't be reached. */
  readonly notaries: readonly ServerName[];
}

interface KnownServer {
  readonly keys: ReadonlyMap<KeyId, ServerKey>;
  /** The latest key object, for those who ask us as a notary. */
  readonly json: string | undefined;
  /** When the server was last asked, with success or not. */
  readonly askedTs: number;
  /** Whether it gave its keys then. */
  readonly hasAnswered: boolean;
}

const SERVERS_MAX = 10_000;
/** A server that gave no good key is not asked again sooner. */
const ASK_AGAIN_MS = 60_000;
/** Unless it couldn't be reached then and asks us something now: so it is there again. */
const TRY_AGAIN_MS = 1_000;
const FETCH_TIMEOUT_MS = 10_000;
const KEY_OBJECT_BYTES_MAX = 512 * 1024;
const FETCHES_AT_ONCE_MAX = 20;

/** The signing keys of other servers: from memory, from the database, from the server itself, or from a notary. */
export class KeyRing {
  readonly #deps: KeyRingDeps;
  readonly #known = new LRUCache<ServerName, KnownServer>(upTo(SERVERS_MAX));
  readonly #running = new Map<ServerName, Promise<KnownServer>>();

  constructor(deps: KeyRingDeps) {
    this.#deps = deps;
  }

  /**
   * The public key by which something was signed at `signedTs` (milliseconds since the epoch), or undefined where there is
   * none that was valid then. `signedTs` undefined: whenever it was (room versions before 5).
   * Spec: rooms/v5/#signing-key-validity-period
   */
  find(server: ServerName, keyId: KeyId, signedTs: number | undefined): Promise<string | undefined> {
    return this.#find(server, keyId, signedTs, ASK_AGAIN_MS);
  }

  /** The key by which a request of now is signed. */
  async findForRequest(server: ServerName, keyId: KeyId): Promise<string | undefined> {
    const publicKey = await this.#find(server, keyId, this.#deps.clock.now(), TRY_AGAIN_MS);
    return this.#known.get(server)?.keys.get(keyId)?.isOld === true ? undefined : publicKey;
  }

  /** `tryAgainMs`: how soon to ask again a server that couldn't be reached. */
  async #find(server: ServerName, keyId: KeyId, signedTs: number | undefined, tryAgainMs: number) {
    if (server === this.#deps.serverName) return this.#deps.own.find(keyId);
    const isGood = (key: ServerKey | undefined) => {
      return key !== undefined && (signedTs === undefined || key.validUntilTs >= signedTs);
    };
    let known = this.#known.get(server) ?? (await this.#load(server));
    if (!isGood(known.keys.get(keyId))) known = await this.#refresh(server, known, tryAgainMs);
    const key = known.keys.get(keyId);
    return isGood(key) ? key?.publicKey : undefined;
  }

  /** Makes sure that keys of these servers are there as far as they can be had, many at once. */
  async prefetch(servers: Iterable<ServerName>): Promise<void> {
    const queue = [...servers].filter((server) => server !== this.#deps.serverName);
    const work = async () => {
      for (let server = queue.pop(); server !== undefined; server = queue.pop()) {
        const known = this.#known.get(server) ?? (await this.#load(server));
        if (known.keys.size === 0) await this.#refresh(server, known);
      }
    };
    await Promise.all(Array.from({ length: FETCHES_AT_ONCE_MAX }, work));
  }

  /** The latest key object of a server, fetched where what is known isn't valid at `minimumTs`. For notaries. */
  async keyObject(server: ServerName, minimumTs: number): Promise<JsonObject | undefined> {
    if (server === this.#deps.serverName) return this.#deps.own.publish();
    let known = this.#known.get(server) ?? (await this.#load(server));
    const isFresh = [...known.keys.values()].some((key) => !key.isOld && key.validUntilTs >= minimumTs);
    if (!isFresh || known.json === undefined) known = await this.#refresh(server, known);
    const json: unknown = known.json === undefined ? undefined : JSON.parse(known.json);
    return isJsonObject(json) ? json : undefined;
  }

  async #load(server: ServerName): Promise<KnownServer> {
    const rows = await this.#deps.database.read((tx) => listServerKeys(tx, server));
    const keys = new Map<KeyId, ServerKey>();
    let latest: (typeof rows)[number] | undefined;
    for (const row of rows) {
      const keyId = parseKeyId(row.key_id);
      if (keyId === undefined) continue;
      keys.set(keyId, { keyId, publicKey: row.public_key, validUntilTs: row.valid_until_ts, isOld: row.is_old === 1 });
      if (latest === undefined || row.fetched_ts > latest.fetched_ts) latest = row;
    }
    const known = { keys, json: latest?.json, askedTs: 0, hasAnswered: true };
    return this.#known.get(server) ?? this.#keep(server, known);
  }

  #keep(server: ServerName, known: KnownServer): KnownServer {
    this.#known.set(server, known);
    return known;
  }

  /** Asks the server, once for all who wait for it, and not again and again. */
  async #refresh(server: ServerName, known: KnownServer, tryAgainMs = ASK_AGAIN_MS): Promise<KnownServer> {
    const againMs = known.hasAnswered ? ASK_AGAIN_MS : tryAgainMs;
    if (this.#deps.clock.now() - known.askedTs < againMs) return known;
    let running = this.#running.get(server);
    if (running === undefined) {
      running = this.#fetch(server, known).finally(() => this.#running.delete(server));
      this.#running.set(server, running);
    }
    return running;
  }

  async #fetch(server: ServerName, known: KnownServer): Promise<KnownServer> {
    const { clock, database } = this.#deps;
    const now = clock.now();
    const found = (await this.#ask(server, now)) ?? (await this.#askNotaries(server, now));
    if (found === undefined) return this.#keep(server, { ...known, askedTs: now, hasAnswered: false });
    const json = JSON.stringify(found.object);
    const keys = new Map(known.keys);
    for (const key of found.keys) keys.set(key.keyId, key);
    const rows = found.keys.map((key) => ({
      server_name: server,
      key_id: key.keyId,
      public_key: key.publicKey,
      valid_until_ts: key.validUntilTs,
      is_old: key.isOld ? 1 : 0,
      fetched_ts: now,
      json,
    }));
    await database.write('main', (tx) => putServerKeys(tx, rows));
    return this.#keep(server, { keys, json, askedTs: now, hasAnswered: true });
  }

  async #ask(server: ServerName, nowTs: number) {
    try {
      const object = await this.#deps.client.request({
        destination: server,
        method: 'GET',
        path: '/_matrix/key/v2/server',
        timeoutMs: FETCH_TIMEOUT_MS,
        bodyBytesMax: KEY_OBJECT_BYTES_MAX,
        isSigned: false,
      });
      const keys = parseKeyObject(object, server, nowTs);
      return keys === undefined ? undefined : { object, keys };
    } catch {
      // A server that can't be reached, or refuses: its keys may be had elsewhere.
      return undefined;
    }
  }

  /** Spec: server-server-api/#querying-keys-through-another-server */
  async #askNotaries(server: ServerName, nowTs: number) {
    for (const notary of this.#deps.notaries) {
      if (notary === server) continue;
      try {
        const answer = await this.#deps.client.request({
          destination: notary,
          method: 'POST',
          path: '/_matrix/key/v2/query',
          content: { server_keys: { [server]: {} } },
          timeoutMs: FETCH_TIMEOUT_MS,
          bodyBytesMax: KEY_OBJECT_BYTES_MAX,
        });
        for (const object of readArray(answer, 'server_keys') ?? []) {
          // Signed by the server itself: the notary can hold keys back, but can't make them.
          const keys = isJsonObject(object) ? parseKeyObject(object, server, nowTs) : undefined;
          if (keys !== undefined && isJsonObject(object)) return { object, keys };
        }
      } catch {
        // The next one, then.
      }
    }
    return undefined;
  }
}
