/** Changes of devices between servers. Spec: server-server-api/#device-management */
import type { Devices } from '../devices/index.ts';
import { parseUserId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readObject, readString } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Database } from '../storage/index.ts';
import type { Hub, Streams } from '../streams/index.ts';
import type { FederationSender } from './federation-sender.ts';

export interface DevicesToServersDeps {
  readonly database: Database;
  readonly hub: Hub;
  readonly streams: Streams;
  readonly devices: Devices;
  readonly rooms: Rooms;
  readonly sender: FederationSender;
  readonly serverName: ServerName;
  readonly log: { warn(fields: object, message: string): void };
}

/** Tells the servers that share rooms with a user that the user's devices changed: they ask for all of them then. */
export class DevicesToServers implements Disposable {
  readonly #deps: DevicesToServersDeps;
  #position = 0;
  #telling: Promise<void> = Promise.resolve();
  #stop: (() => void) | undefined;

  constructor(deps: DevicesToServersDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { hub, streams, log } = this.#deps;
    this.#position = streams.current('device_lists');
    this.#stop = hub.listen('stream:device_lists', () => {
      this.#telling = this.#telling
        .then(() => this.#tell())
        .catch((error: unknown) => log.warn({ err: error }, 'other servers were not told of devices'));
    });
  }

  [Symbol.dispose](): void {
    this.#stop?.();
  }

  async #tell(): Promise<void> {
    const { database, streams, devices, serverName } = this.#deps;
    const from = this.#position;
    const to = streams.current('device_lists');
    this.#position = to;
    const users = await database.read((tx) => devices.lists.changedBetween(tx, from, to));
    for (const userId of users) if (serverNameOf(userId) === serverName) await this.#tellOf(userId, to);
  }

  async #tellOf(userId: UserId, position: number): Promise<void> {
    const { rooms, sender, database, devices } = this.#deps;
    const servers = new Set<ServerName>();
    for (const roomId of await rooms.joinedRooms(userId)) {
      const room = await rooms.snapshot(roomId);
      if (room === undefined) continue;
      for (const server of await database.read((tx) => sender.serversIn(tx, room.roomNid, room.stateRoot)))
        servers.add(server);
    }
    if (servers.size <= 1) return;
    const keys: unknown = JSON.parse((await devices.keys.query(userId, new Map([[userId, []]]))).deviceKeys);
    const ofUser = isJsonObject(keys) ? readObject(keys, userId) : undefined;
    const [first] = Object.entries(ofUser ?? {});
    // No update that we name before this one is known to anybody: whoever gets it asks for the whole list.
    const content = {
      user_id: userId,
      device_id: first?.[0] ?? 'none',
      stream_id: position,
      prev_id: [0],
      ...(first === undefined ? { deleted: true } : { keys: first[1] }),
    };
    sender.sendEdu(servers, 'm.device_list_update', content, `devices ${userId}`);
  }
}

type Handler = (origin: ServerName, content: JsonObject) => Promise<void> | void;

/** What is done with such notices of other servers. */
export function devicesFromServers(deps: {
  readonly database: Database;
  readonly devices: Devices;
}): Map<string, Handler> {
  const { database, devices } = deps;
  const takeChange: Handler = async (origin, content) => {
    const userId = parseUserId(readString(content, 'user_id') ?? '');
    if (userId === undefined || serverNameOf(userId) !== origin) return;
    await database.write('main', (tx) => devices.lists.noteChange(tx, userId));
  };
  const takeMessages: Handler = async (origin, content) => {
    const sender = parseUserId(readString(content, 'sender') ?? '');
    const type = readString(content, 'type');
    const messageId = readString(content, 'message_id');
    if (sender === undefined || serverNameOf(sender) !== origin || type === undefined || messageId === undefined)
      return;
    const messages = new Map<UserId, JsonObject>();
    for (const [user, byDevice] of Object.entries(readObject(content, 'messages') ?? {})) {
      const userId = parseUserId(user);
      if (userId !== undefined && isJsonObject(byDevice)) messages.set(userId, byDevice);
    }
    const transaction = { deviceId: `\n${origin}`, txnId: messageId };
    await devices.toDevice.send({ sender, type, messages: onlyLocal(messages, origin), transaction });
  };
  return new Map([
    ['m.device_list_update', takeChange],
    ['m.signing_key_update', takeChange],
    ['org.matrix.signing_key_update', takeChange],
    ['m.direct_to_device', takeMessages],
  ]);
}

/** Nothing is sent on: a server's messages end here. */
function onlyLocal(messages: ReadonlyMap<UserId, JsonObject>, origin: ServerName): ReadonlyMap<UserId, JsonObject> {
  return new Map([...messages].filter(([userId]) => serverNameOf(userId) !== origin));
}
