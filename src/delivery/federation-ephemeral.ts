/** Typing notifications and receipts between servers. Spec: server-server-api/#typing-notifications, server-server-api/#receipts */

import { MatrixError } from '../protocol/errors.ts';
import {
  parseEventId,
  parseRoomId,
  parseUserId,
  type RoomId,
  type ServerName,
  serverNameOf,
  type UserId,
} from '../protocol/ids/index.ts';
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  readArray,
  readBoolean,
  readInteger,
  readObject,
  readString,
} from '../protocol/json/index.ts';
import { listReceiptsSent, type Receipts, type Rooms, type StreamNews, type Typing } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import type { FederationSender } from './federation-sender.ts';

export interface EphemeralToServersDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly typing: Typing;
  readonly rooms: Rooms;
  readonly sender: FederationSender;
  readonly serverName: ServerName;
  readonly log: { warn(fields: object, message: string): void };
}

const RECEIPTS_MAX = 1_000;

/** Tells other servers what our users type and read, as it happens. Who isn't there misses the typing, and gets the receipts later. */
export class EphemeralToServers implements Disposable {
  readonly #deps: EphemeralToServersDeps;
  /** Who of us types in a room, as the others were told. */
  readonly #told = new Map<RoomId, ReadonlySet<UserId>>();
  readonly #stops: (() => void)[] = [];

  constructor(deps: EphemeralToServersDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { hub, log } = this.#deps;
    const listen = (stream: string, tell: (news: StreamNews) => Promise<void>) => {
      const told = (payload: unknown) => {
        if (!isNews(payload)) return;
        tell(payload).catch((error: unknown) => log.warn({ err: error, stream }, 'other servers were not told'));
      };
      this.#stops.push(hub.listen(`stream:${stream}`, told));
    };
    listen('typing', (news) => this.#tellTyping(news));
    listen('receipts', (news) => this.#tellReceipts(news));
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }

  async #tellTyping({ roomId }: StreamNews): Promise<void> {
    if (roomId === undefined) return;
    const { typing, serverName, sender } = this.#deps;
    const now = new Set((typing.inRoom(roomId)?.userIds ?? []).filter((userId) => serverNameOf(userId) === serverName));
    const before = this.#told.get(roomId) ?? new Set<UserId>();
    if (now.size === 0) this.#told.delete(roomId);
    else this.#told.set(roomId, now);
    const changed = [...now.symmetricDifference(before)];
    if (changed.length === 0) return;
    const servers = await this.#serversIn(roomId);
    for (const userId of changed) {
      const content = { room_id: roomId, user_id: userId, typing: now.has(userId) };
      sender.sendEdu(servers, { type: 'm.typing', content, key: `typing ${roomId} ${userId}`, isLasting: false });
    }
  }

  async #tellReceipts({ position }: StreamNews): Promise<void> {
    const { database, sender, serverName } = this.#deps;
    const rows = await database.read((tx) => listReceiptsSent(tx, position - 1, position, RECEIPTS_MAX));
    for (const row of rows) {
      if (serverNameOf(row.user_id) !== serverName) continue;
      const thread = row.thread_id === '' ? {} : { thread_id: row.thread_id };
      const receipt = { data: { ts: row.ts, ...thread }, event_ids: [row.event_id] };
      const content = { [row.room_id]: { 'm.read': { [row.user_id]: receipt } } };
      const servers = await this.#serversIn(row.room_id);
      const key = `receipt ${row.room_id} ${row.user_id} ${row.thread_id}`;
      sender.sendEdu(servers, { type: 'm.receipt', content, key, isLasting: true });
    }
  }

  async #serversIn(roomId: RoomId): Promise<ReadonlySet<ServerName>> {
    const room = await this.#deps.rooms.snapshot(roomId);
    if (room === undefined) return new Set();
    return this.#deps.database.read((tx) => this.#deps.sender.serversIn(tx, room.roomNid, room.stateRoot));
  }
}

function isNews(payload: unknown): payload is StreamNews {
  return typeof payload === 'object' && payload !== null && 'position' in payload;
}

type Handler = (origin: ServerName, content: JsonObject) => Promise<void> | void;

/** What is done with such notices of other servers: they speak for their own users in rooms that those are in. */
export function ephemeralFromServers({
  rooms,
  receipts,
  typing,
}: {
  readonly rooms: Rooms;
  readonly receipts: Receipts;
  readonly typing: Typing;
}): Map<string, Handler> {
  // Spec: client-server-api/#mroomserver_acl: the server may not be in the room although users of it are.
  const assertServed = async (roomId: RoomId, origin: ServerName) => {
    await rooms.federated?.serveMemberships.assertServed(roomId, origin);
  };
  const takeTyping: Handler = async (origin, content) => {
    const roomId = parseRoomId(readString(content, 'room_id') ?? '');
    const userId = parseUserId(readString(content, 'user_id') ?? '');
    if (roomId === undefined || userId === undefined || serverNameOf(userId) !== origin) return;
    if ((await rooms.snapshot(roomId))?.membershipOf(userId) !== 'join') return;
    await assertServed(roomId, origin);
    if (readBoolean(content, 'typing') === true) typing.start(roomId, userId);
    else typing.stop(roomId, userId);
  };
  const takeReceipts: Handler = async (origin, content) => {
    for (const [room, byType] of Object.entries(content)) {
      const roomId = parseRoomId(room);
      const reads = isJsonObject(byType) ? readObject(byType, 'm.read') : undefined;
      if (roomId === undefined || reads === undefined) continue;
      const isServed = await passOver(assertServed(roomId, origin));
      if (!isServed) continue;
      for (const [user, receipt] of Object.entries(reads).slice(0, RECEIPTS_MAX)) {
        const userId = parseUserId(user);
        if (userId === undefined || serverNameOf(userId) !== origin) continue;
        await passOver(takeReceipt(receipts, roomId, userId, receipt));
      }
    }
  };
  return new Map([
    ['m.typing', takeTyping],
    ['m.receipt', takeReceipts],
  ]);
}

async function takeReceipt(receipts: Receipts, roomId: RoomId, userId: UserId, receipt: JsonValue): Promise<void> {
  if (!isJsonObject(receipt)) return;
  const [first] = readArray(receipt, 'event_ids') ?? [];
  const eventId = typeof first === 'string' ? parseEventId(first) : undefined;
  const data = readObject(receipt, 'data') ?? {};
  if (eventId === undefined) return;
  const ts = readInteger(data, 'ts');
  const given = ts === undefined || ts < 0 ? {} : { ts };
  await receipts.set({ roomId, userId, type: 'm.read', eventId, threadId: readString(data, 'thread_id'), ...given });
}

/** Whether it went well: what is refused (of an event that isn't here yet, of who has left) spoils no other receipt. */
async function passOver(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof MatrixError) return false;
    throw error;
  }
}
