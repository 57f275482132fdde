import { LRUCache } from 'lru-cache';
import { badJson, MatrixError } from '../protocol/errors.ts';
import { type Filter, isBadFilter, parseFilter } from '../protocol/filter/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { canonicalJsonLenient, isJsonObject, type JsonObject } from '../protocol/json/index.ts';
import type { Database } from '../storage/index.ts';
import { hashSecret } from './secrets.ts';
import { countFilters, findFilter, findFilterId, insertFilter } from './store/filters.ts';

interface StoredFilter {
  readonly json: JsonObject;
  readonly filter: Filter;
  /** Of the JSON text. */
  readonly chars: number;
}

const CACHE_CHARS_MAX = 8 * 1024 * 1024;
/** What an entry of the cache costs beside its JSON. */
const CACHED_CHARS = 1_000;
/** Filters of a user. They can't be deleted, and the same one again is no new one: no client needs as many. */
export const FILTERS_MAX = 1_000;
const FILTER_ID = /^(0|[1-9]\d{0,14})$/;

/** Filters that clients have stored. They never change. Spec: client-server-api/#filtering */
export class Filters {
  readonly #database: Database;
  readonly #cache = new LRUCache<string, StoredFilter>({
    maxSize: CACHE_CHARS_MAX,
    sizeCalculation: ({ chars }) => chars + CACHED_CHARS,
  });

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores a filter and returns its id; the same filter has the same id. Throws `M_BAD_JSON` where it is none, 400 `M_LIMIT_EXCEEDED` where there are too many. */
  async create(userId: UserId, json: JsonObject): Promise<string> {
    parseOrThrow(json);
    const canonical = canonicalJsonLenient(json);
    const digest = hashSecret(canonical);
    const known = await this.#database.read((tx) => findFilterId(tx, userId, digest));
    if (known !== undefined) return String(known);
    const filterId = await this.#database.write('main', async (tx) => {
      const filterId = await findFilterId(tx, userId, digest);
      if (filterId !== undefined) return filterId;
      if ((await countFilters(tx, userId)) >= FILTERS_MAX) {
        throw new MatrixError('M_LIMIT_EXCEEDED', 'You have stored too many filters', { status: 400 });
      }
      return insertFilter(tx, userId, digest, canonical);
    });
    return String(filterId);
  }

  /** The filter, or undefined. */
  async get(userId: UserId, filterId: string): Promise<Filter | undefined> {
    return (await this.#find(userId, filterId))?.filter;
  }

  /** The filter as it was stored, or undefined. */
  async getJson(userId: UserId, filterId: string): Promise<JsonObject | undefined> {
    return (await this.#find(userId, filterId))?.json;
  }

  async #find(userId: UserId, filterId: string): Promise<StoredFilter | undefined> {
    const key = `${userId}\0${filterId}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    if (!FILTER_ID.test(filterId)) return undefined;
    const text = await this.#database.read((tx) => findFilter(tx, userId, Number(filterId)));
    if (text === undefined) return undefined;
    const json: unknown = JSON.parse(text);
    if (!isJsonObject(json)) return undefined;
    const stored = { json, filter: parseOrThrow(json), chars: text.length };
    this.#cache.set(key, stored);
    return stored;
  }
}

function parseOrThrow(json: JsonObject): Filter {
  const filter = parseFilter(json);
  if (isBadFilter(filter)) throw badJson(`Not a filter: ${filter.problem}`);
  return filter;
}
