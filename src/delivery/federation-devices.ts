/** Changes of devices between servers. Spec: server-server-api/#device-management */
import type { Devices } from '../devices/index.ts';
import { makeUserId, parseUserId, type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readObject, readString } from '../protocol/json/index.ts';
import type { Rooms } from '../rooms/index.ts';
import type { Database, WriteTx } from '../storage/index.ts';
import { type ConsumerDeps, runConsumer } from '../streams/index.ts';
import type { EduOutbox, StoredEdu } from './edu-outbox-store.ts';
import type { FederationSender } from './federation-sender.ts';

export interface DevicesToServersDeps extends ConsumerDeps {
  readonly devices: Devices;
  readonly rooms: Rooms;
  readonly sender: FederationSender;
  readonly outbox: EduOutbox;
  readonly serverName: ServerName;
}

const CONSUMER = 'federation-devices';

/** Users whose devices or keys changed up to a position. */
interface Changes {
  readonly position: number;
  readonly users: readonly UserId[];
}

/**
 * Tells the servers that share rooms with a user that the user's devices or keys changed: they ask for all of them then. A
 * consumer of the stream 'device_lists'; what it tells is kept until the server has it, however long it is away.
 */
export class DevicesToServers implements AsyncDisposable {
  readonly #deps: DevicesToServersDeps;
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(deps: DevicesToServersDeps) {
    this.#deps = deps;
  }

  start(): void {
    const { devices, serverName } = this.#deps;
    const controller = new AbortController();
    const ended = runConsumer<Changes>(
      {
        name: CONSUMER,
        stream: 'device_lists',
        startAt: 'now',
        read: async (tx, from, to) => {
          const users = (await devices.lists.changedBetween(tx, from, to)).filter(
            (userId) => serverNameOf(userId) === serverName,
          );
          return users.length === 0 ? [] : [{ position: to, users }];
        },
        handle: (changes) => this.#handle(changes),
        signal: controller.signal,
      },
      this.#deps,
    );
    this.#running = { controller, ended };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running?.controller.abort();
    await this.#running?.ended;
  }

  async #handle(changes: readonly Changes[]): Promise<((tx: WriteTx) => Promise<void>) | undefined> {
    const edus: StoredEdu[] = [];
    for (const { position, users } of changes) {
      for (const userId of users) edus.push(...(await this.#edusOf(userId, position)));
    }
    return edus.length === 0 ? undefined : (tx) => this.#deps.outbox.put(tx, edus);
  }

  async #edusOf(userId: UserId, position: number): Promise<readonly StoredEdu[]> {
    const { serverName, devices, rooms, sender } = this.#deps;
    const servers = new Set(await sender.serversInAny(await rooms.joinedRooms(userId)));
    servers.delete(serverName);
    if (servers.size === 0) return [];
    const [other] = servers;
    // Somebody of another server: sees what everybody sees.
    const viewer = (other && makeUserId('_', other)) ?? userId;
    const keys = await devices.keys.query(viewer, new Map([[userId, []]]));
    const [first] = Object.entries(ofUser(keys.deviceKeys, userId) ?? {});
    // No update that we name before this one is known to anybody: whoever gets it asks for the whole list.
    const update = {
      user_id: userId,
      device_id: first?.[0] ?? 'none',
      stream_id: position,
      prev_id: [0],
      ...(first === undefined ? { deleted: true } : { keys: first[1] }),
    };
    const master = ofUser(keys.masterKeys, userId);
    const selfSigning = ofUser(keys.selfSigningKeys, userId);
    const signing = {
      user_id: userId,
      ...(master === undefined ? {} : { master_key: master }),
      ...(selfSigning === undefined ? {} : { self_signing_key: selfSigning }),
    };
    return [...servers].flatMap((destination) => [
      {
        destination,
        key: `devices ${userId}`,
        edu: { edu_type: 'm.device_list_update', content: update },
      },
      ...(master === undefined
        ? []
        : [{ destination, key: `keys ${userId}`, edu: { edu_type: 'm.signing_key_update', content: signing } }]),
    ]);
  }
}

function ofUser(json: string, userId: UserId): JsonObject | undefined {
  const value: unknown = JSON.parse(json);
  return isJsonObject(value) ? readObject(value, userId) : undefined;
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
    await database.write('main', (tx) => devices.noteRemoteChange(tx, userId));
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
      if (userId !== undefined && isJsonObject(byDevice)) messages.set(userId, contentsOf(byDevice));
    }
    const transaction = { deviceId: `\n${origin}`, txnId: messageId };
    await devices.toDevice.receive({ sender, type, messages, transaction });
  };
  return new Map([
    ['m.device_list_update', takeChange],
    ['m.signing_key_update', takeChange],
    ['org.matrix.signing_key_update', takeChange],
    ['m.direct_to_device', takeMessages],
  ]);
}

/** What clients can take: a content is an object. */
function contentsOf(byDevice: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(byDevice).filter(([, content]) => isJsonObject(content)));
}
