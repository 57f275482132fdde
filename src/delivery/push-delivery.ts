import { type Job, job } from '../jobs/index.ts';
import type { UserId } from '../protocol/ids/index.ts';
import { type JsonObject, type JsonValue, readString } from '../protocol/json/index.ts';
import { listRoomsOfUser, type Reading, type StoredEvent, sumOf, type UnreadCounts } from '../rooms/index.ts';
import type { Database, ReadTx } from '../storage/index.ts';
import type { Streams } from '../streams/index.ts';
import type { GatewayClient } from './gateway.ts';
import { DELIVER_JOB, deliverPayload } from './push-follower.ts';
import { type Pusher, type Pushers, toPusher } from './pushers.ts';
import { deleteFromQueue, findPusher, type QueueRow, queueOf } from './store.ts';

export interface PushDeliveryDeps {
  readonly database: Database;
  readonly streams: Streams;
  readonly reading: Reading;
  readonly unread: UnreadCounts;
  readonly pushers: Pushers;
  readonly gateway: GatewayClient;
  /** Whether gateways may get more than ids. */
  readonly includesContent: boolean;
}

/** Of what waited longer than it takes to gather more, only the newest is sent. */
const QUEUE_MAX = 50;
const ATTEMPTS_MAX = 20;

/** Sends what waits in the queues of pushers, each in order. */
export class PushDelivery {
  readonly #deps: PushDeliveryDeps;
  /** Which pushers are being served: two jobs of one pusher must not send the same. */
  readonly #busy = new Map<number, Promise<void>>();

  constructor(deps: PushDeliveryDeps) {
    this.#deps = deps;
  }

  /** The job of this part. */
  job(): Job {
    return job({
      name: DELIVER_JOB,
      payload: deliverPayload,
      attemptsMax: ATTEMPTS_MAX,
      handle: ({ pusherId }, { signal }) => this.#deliver(pusherId, signal),
    });
  }

  async #deliver(pusherId: number, signal: AbortSignal): Promise<void> {
    const before = this.#busy.get(pusherId) ?? Promise.resolve();
    const own = before.catch(() => undefined).then(() => this.#drain(pusherId, signal));
    this.#busy.set(pusherId, own);
    try {
      await own;
    } finally {
      if (this.#busy.get(pusherId) === own) this.#busy.delete(pusherId);
    }
  }

  async #drain(pusherId: number, signal: AbortSignal): Promise<void> {
    const { database } = this.#deps;
    for (;;) {
      const { pusher, queue } = await database.read(async (tx) => ({
        pusher: await findPusher(tx, pusherId),
        queue: await queueOf(tx, pusherId),
      }));
      if (pusher === undefined || queue.length === 0) return;
      const dropped = queue.slice(0, -QUEUE_MAX);
      const done: number[] = dropped.map((row) => row.queue_id);
      try {
        for (const row of queue.slice(-QUEUE_MAX)) {
          await this.#send(toPusher(pusher), row, signal);
          done.push(row.queue_id);
        }
      } finally {
        if (done.length > 0) await database.write('main', (tx) => deleteFromQueue(tx, done));
      }
    }
  }

  async #send(pusher: Pusher, row: QueueRow, signal: AbortSignal): Promise<void> {
    const { url, ...data } = pusher.data;
    const notification = await this.#deps.database.read((tx) => this.#notification(tx, pusher, row, data));
    if (notification === undefined || typeof url !== 'string' || !pusher.isEnabled) return;
    for (const pushkey of await this.#deps.gateway.notify(url, notification, signal)) {
      await this.#deps.pushers.deleteRejected(pusher.appId, pushkey);
    }
  }

  /** What the gateway is told; undefined where the event is gone or can't be seen. */
  async #notification(
    tx: ReadTx,
    pusher: Pusher,
    { event_nid: nid, tweaks }: QueueRow,
    data: JsonObject,
  ): Promise<JsonObject | undefined> {
    const unread = await this.#unreadCount(tx, pusher.userId);
    const { appId, pushkey, setTs } = pusher;
    const device: JsonObject = { app_id: appId, pushkey, pushkey_ts: setTs, data, tweaks: JSON.parse(tweaks) };
    const common: JsonObject = { counts: unread === 0 ? {} : { unread }, devices: [device] };
    if (nid === null) return common;
    const [stored] = await this.#deps.reading.events.byNids(tx, [nid]);
    if (stored === undefined || stored.redactedBy !== undefined) return undefined;
    const { event } = stored;
    const ids: JsonObject = { ...common, event_id: event.eventId, room_id: event.roomId, prio: 'high' };
    const wantsIds = readString(data, 'format') === 'event_id_only' || !this.#deps.includesContent;
    return wantsIds ? ids : { ...ids, ...(await this.#details(tx, stored, pusher.userId)) };
  }

  async #details(tx: ReadTx, stored: StoredEvent, userId: UserId): Promise<JsonObject> {
    const { states } = this.#deps.reading;
    const { event, stateBefore } = stored;
    const contentOf = async (type: string, stateKey: string) =>
      (await states.event(tx, stateBefore, type, stateKey))?.event.content ?? {};
    const found: Record<string, JsonValue | undefined> = {
      sender_display_name: readString(await contentOf('m.room.member', event.sender), 'displayname'),
      room_name: readString(await contentOf('m.room.name', ''), 'name'),
      room_alias: readString(await contentOf('m.room.canonical_alias', ''), 'alias'),
    };
    const details: Record<string, JsonValue> = { type: event.type, sender: event.sender, content: event.content };
    for (const [key, value] of Object.entries(found)) if (value !== undefined) details[key] = value;
    if (event.type === 'm.room.member') details.user_is_target = event.stateKey === userId;
    return details;
  }

  /** In all rooms together: what stands on the app's badge. */
  async #unreadCount(tx: ReadTx, userId: UserId): Promise<number> {
    const { unread, reading, streams } = this.#deps;
    const rows = await listRoomsOfUser(tx, userId);
    const roomNids = rows.filter((row) => row.membership === 'join').map((row) => row.room_nid);
    const ignored = await reading.accounts.ignoredUsers(userId);
    const upTo = streams.current('events');
    const counts = await unread.count(tx, { userId, roomNids, ignored, upTo, receiptsUpTo: 0 });
    let total = rows.filter((row) => row.membership === 'invite').length;
    for (const room of counts.values()) total += sumOf(room).notification;
    return total;
  }
}
