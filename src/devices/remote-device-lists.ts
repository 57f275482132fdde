import type { Clock } from '../clock.ts';
import { parseUserId, type ServerName, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, isStringArray, type JsonObject, parseJson, readObject } from '../protocol/json/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import type { DeviceRooms } from './ports.ts';
import type { RemoteAnswer, RemoteKeys } from './remote-keys.ts';
import {
  deleteRemoteDeviceListsBefore,
  findRemoteDeviceLists,
  markRemoteDeviceListStale,
  putRemoteDeviceList,
} from './store/remote-device-lists.ts';
import type { RemoteDeviceListsTable } from './store/tables.ts';

export interface RemoteDeviceListsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly source: RemoteKeys;
  readonly rooms: Pick<DeviceRooms, 'sharesRoomSince'>;
}

/** Lists are asked for anew after so long, whatever their server said or forgot to say. */
const KEPT_MS = 30 * 24 * 60 * 60_000;
const PARTS = ['device_keys', 'master_keys', 'self_signing_keys'] as const;

/** What is kept of a user: the values under the keys of an answer. */
type KeptList = Readonly<Partial<Record<(typeof PARTS)[number], JsonObject>>>;

/**
 * The device lists of users of other servers. Their server tells of each change while we share a room with them, so that what
 * it answered once holds until then; and where it can't be reached, what it said last is better than nothing.
 * Spec: server-server-api/#device-management
 */
export class RemoteDeviceLists implements RemoteKeys {
  readonly #deps: RemoteDeviceListsDeps;
  /** For each question under way, who changed since it was asked: such an answer is asked for again the next time. */
  readonly #changedMeanwhile = new Set<Set<UserId>>();

  constructor(deps: RemoteDeviceListsDeps) {
    this.#deps = deps;
  }

  claim(server: ServerName, oneTimeKeys: JsonObject): Promise<RemoteAnswer> {
    return this.#deps.source.claim(server, oneTimeKeys);
  }

  async query(server: ServerName, wanted: JsonObject): Promise<RemoteAnswer> {
    const users = Object.keys(wanted).flatMap((user) => parseUserId(user) ?? []);
    const rows = await this.#deps.database.read((tx) => findRemoteDeviceLists(tx, users));
    const known = new Map(rows.map((row) => [row.user_id, row]));
    const missing: UserId[] = [];
    for (const userId of users) if (!(await this.#isFresh(known.get(userId)))) missing.push(userId);
    const lists = new Map(rows.map((row) => [row.user_id, parseList(row.json)]));
    let isWhole = true;
    if (missing.length > 0) {
      const fetched = await this.#fetch(server, missing).catch(() => undefined);
      isWhole = fetched !== undefined || missing.every((userId) => known.has(userId));
      for (const [userId, list] of fetched ?? []) lists.set(userId, list);
    }
    return { answer: answerOf(lists, wanted), isWhole };
  }

  /** A server tells that the keys of a user changed: they are asked for when somebody wants them. */
  async noteChange(tx: WriteTx, userId: UserId): Promise<void> {
    for (const changed of this.#changedMeanwhile) changed.add(userId);
    await markRemoteDeviceListStale(tx, userId);
  }

  /** Deletes lists that are too old to be used. */
  async deleteExpired(): Promise<void> {
    const { database, clock } = this.#deps;
    await database.write('main', (tx) => deleteRemoteDeviceListsBefore(tx, clock.now() - KEPT_MS));
  }

  async #isFresh(row: RemoteDeviceListsTable | undefined): Promise<boolean> {
    if (row === undefined || row.is_stale === 1 || this.#deps.clock.now() - row.fetched_ts > KEPT_MS) return false;
    return this.#deps.rooms.sharesRoomSince(row.user_id, row.fetched_position);
  }

  /** Asks for all devices of users, and keeps the answers of those whose changes we will hear of. */
  async #fetch(server: ServerName, users: readonly UserId[]): Promise<ReadonlyMap<UserId, KeptList>> {
    const { source, database } = this.#deps;
    const position = database.positions.current('events');
    const changed = new Set<UserId>();
    this.#changedMeanwhile.add(changed);
    try {
      const { answer } = await source.query(server, Object.fromEntries(users.map((userId) => [userId, []])));
      const lists = new Map(users.map((userId) => [userId, listOf(answer, userId)]));
      const rows = await this.#rowsOf(lists, position);
      await database.write('main', async (tx) => {
        for (const row of rows) await putRemoteDeviceList(tx, { ...row, is_stale: changed.has(row.user_id) ? 1 : 0 });
      });
      return lists;
    } finally {
      this.#changedMeanwhile.delete(changed);
    }
  }

  async #rowsOf(lists: ReadonlyMap<UserId, KeptList>, position: number): Promise<readonly RemoteDeviceListsTable[]> {
    const rows: RemoteDeviceListsTable[] = [];
    for (const [userId, list] of lists) {
      if (!(await this.#deps.rooms.sharesRoomSince(userId, position))) continue;
      const json = JSON.stringify(list);
      const fetched_ts = this.#deps.clock.now();
      rows.push({ user_id: userId, fetched_position: position, fetched_ts, is_stale: 0, json });
    }
    return rows;
  }
}

function listOf(answer: JsonObject, userId: UserId): KeptList {
  return Object.fromEntries(
    PARTS.flatMap((part) => {
      const value = readObject(readObject(answer, part) ?? {}, userId);
      return value === undefined ? [] : [[part, value] as const];
    }),
  );
}

function parseList(json: string): KeptList {
  const value = parseJson(json);
  if (!isJsonObject(value)) return {};
  return Object.fromEntries(
    PARTS.flatMap((part) => {
      const object = readObject(value, part);
      return object === undefined ? [] : [[part, object] as const];
    }),
  );
}

/** As the server itself would have answered: of each user only the wanted devices, where some are named. */
function answerOf(lists: ReadonlyMap<UserId, KeptList>, wanted: JsonObject): JsonObject {
  const parts = PARTS.map((part) => {
    const byUser = [...lists].flatMap(([userId, list]) => {
      const value = list[part];
      if (value === undefined) return [];
      const named = wanted[userId];
      const devices = part === 'device_keys' && isStringArray(named) && named.length > 0 ? new Set(named) : undefined;
      if (devices === undefined) return [[userId, value] as const];
      return [[userId, Object.fromEntries(Object.entries(value).filter(([id]) => devices.has(id)))] as const];
    });
    return [part, Object.fromEntries(byUser)] as const;
  });
  return Object.fromEntries(parts);
}
