import { LRUCache } from 'lru-cache';
import type { Devices as AccountDevices, ShadowBans } from '../accounts/index.ts';
import type { Clock } from '../clock.ts';
import { upTo } from '../lru.ts';
import { type ServerName, serverNameOf, type UserId } from '../protocol/ids/index.ts';
import type { JsonObject } from '../protocol/json/index.ts';
import type { Database, ReadTx, WriteTx } from '../storage/index.ts';
import type { Hub } from '../streams/index.ts';
import type { DevicesLog, ToDeviceOutbox } from './ports.ts';
import {
  deleteMessagesUpTo,
  deleteToDeviceTransactionsBefore,
  hasMessagesUpTo,
  insertMessage,
  insertToDeviceTransaction,
  messagesBetween,
  positionOfNewest,
  reservedPosition,
  reservePositions,
} from './store/to-device-messages.ts';

/** Messages of one type to devices. */
export interface ToDeviceSend {
  readonly sender: UserId;
  readonly type: string;
  /** User -> device (or `*` for all of them) -> content. */
  readonly messages: ReadonlyMap<UserId, JsonObject>;
  /** The request, so that the same one again does nothing; undefined where it can't come again. */
  readonly transaction: { readonly deviceId: string; readonly txnId: string } | undefined;
}

/** Messages for a device. */
export interface ToDeviceMessages {
  /** JSON, in the order in which they came. */
  readonly events: readonly string[];
  /** The position that they reach up to. */
  readonly upTo: number;
  /** Whether there are no more. */
  readonly isAll: boolean;
}

/** Messages that wait for a device; more push the oldest out. */
const WAITING_MAX = 20_000;
/** How many messages a device gets until its queue is measured again. */
const UNCOUNTED_MAX = 500;
/** In one answer. Spec: client-server-api/#server-behaviour-2 */
const ANSWER_MESSAGES_MAX = 100;
const POSITIONS_RESERVED = 10_000;
/** No client repeats a request after so long. */
const TRANSACTIONS_KEPT_MS = 24 * 60 * 60 * 1000;
const DEVICES_REMEMBERED_MAX = 50_000;

/** Where the stream of messages starts: beyond whatever was given out before, though those messages may be gone. */
export function firstToDevicePosition(tx: ReadTx): Promise<number> {
  return reservedPosition(tx, 'to_device');
}

/** The name under which a device's own messages are told of. */
export function toDeviceStream(deviceId: string): string {
  return `to_device ${deviceId}`;
}

/**
 * Messages to devices: kept until the device says with its next token that it has them, so at least once, in order.
 * Spec: client-server-api/#send-to-device-messaging
 */
export class ToDevice {
  readonly #database: Database;
  readonly #hub: Hub;
  readonly #devices: AccountDevices;
  readonly #serverName: ServerName;
  readonly #clock: Clock;
  readonly #log: DevicesLog;
  readonly #outbox: ToDeviceOutbox | undefined;
  readonly #shadowBans: Pick<ShadowBans, 'has'> | undefined;
  /** The positions up to here are reserved; the first write reserves some. */
  #reserved = 0;
  /** Up to where a device's messages are known to be deleted. */
  readonly #deleted = new LRUCache<string, number>(upTo(DEVICES_REMEMBERED_MAX));
  /** How many messages a device got since its queue was measured. */
  readonly #uncounted = new LRUCache<string, number>(upTo(DEVICES_REMEMBERED_MAX));

  constructor(parts: {
    readonly database: Database;
    readonly hub: Hub;
    readonly devices: AccountDevices;
    readonly serverName: ServerName;
    readonly clock: Clock;
    readonly log: DevicesLog;
    readonly outbox?: ToDeviceOutbox | undefined;
    readonly shadowBans?: Pick<ShadowBans, 'has'> | undefined;
  }) {
    this.#database = parts.database;
    this.#hub = parts.hub;
    this.#devices = parts.devices;
    this.#serverName = parts.serverName;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#outbox = parts.outbox;
    this.#shadowBans = parts.shadowBans;
  }

  /** Queues messages, all or none, and wakes those who wait for them. Devices that don't exist are passed over. */
  async send({ sender, type, messages, transaction }: ToDeviceSend): Promise<void> {
    // A shadow-banned user reaches nobody else.
    const isAlone = this.#shadowBans?.has(sender) === true;
    const sent = [...messages].filter(([userId]) => !isAlone || userId === sender);
    const local = sent.filter(([userId]) => serverNameOf(userId) === this.#serverName);
    await this.#database.write('main', async (tx) => {
      if (transaction !== undefined) {
        const { deviceId, txnId } = transaction;
        const txn = `${type}\0${txnId}`;
        const isNew = await insertToDeviceTransaction(tx, { userId: sender, deviceId, txn, now: this.#clock.now() });
        if (!isNew) return;
      }
      await this.#insert(tx, sender, type, local);
      if (this.#outbox === undefined) return;
      const byServer = Map.groupBy(sent, ([userId]) => serverNameOf(userId));
      for (const [server, ofServer] of byServer) {
        if (server !== this.#serverName) await this.#outbox.add(tx, server, { sender, type, messages: ofServer });
      }
    });
  }

  /** Queues messages that another server sent for devices here. Those for users elsewhere end here: nothing is sent on. */
  async receive({ messages, ...message }: ToDeviceSend): Promise<void> {
    const local = [...messages].filter(([userId]) => serverNameOf(userId) === this.#serverName);
    await this.send({ ...message, messages: new Map(local) });
  }

  /** The messages of a device after `from` up to `to`, not all at once if they are many. */
  async between(tx: ReadTx, userId: UserId, deviceId: string, from: number, to: number): Promise<ToDeviceMessages> {
    const rows = await messagesBetween(tx, { userId, deviceId, from, to, limit: ANSWER_MESSAGES_MAX });
    const last = rows.at(-1);
    const isAll = last === undefined || rows.length < ANSWER_MESSAGES_MAX;
    return { events: rows.map((row) => row.json), upTo: isAll ? to : last.position, isAll };
  }

  /**
   * A device has everything up to `position`: it is deleted. No query where there was nothing since the last time;
   * `newest` is where there was last something for it, or more.
   */
  async confirm(userId: UserId, deviceId: string, position: number, newest: number): Promise<void> {
    const key = `${userId}\0${deviceId}`;
    if (Math.min(position, newest) <= (this.#deleted.get(key) ?? 0)) return;
    if (await this.#database.read((tx) => hasMessagesUpTo(tx, userId, deviceId, position))) {
      await this.#database.write('main', (tx) => deleteMessagesUpTo(tx, userId, deviceId, position));
    }
    this.#deleted.set(key, Math.max(position, this.#deleted.get(key) ?? 0));
  }

  /** Forgets requests that won't come again. To be called now and then. */
  async deleteExpired(): Promise<void> {
    const before = this.#clock.now() - TRANSACTIONS_KEPT_MS;
    await this.#database.write('main', (tx) => deleteToDeviceTransactionsBefore(tx, before));
  }

  async #insert(
    tx: WriteTx,
    sender: UserId,
    type: string,
    messages: readonly (readonly [UserId, JsonObject])[],
  ): Promise<void> {
    const known = await this.#devices.idsOf(
      tx,
      messages.map(([userId]) => userId),
    );
    const position = await this.#nextPosition(tx);
    const told: [UserId, string][] = [];
    const head = `{"sender":${JSON.stringify(sender)},"type":${JSON.stringify(type)},"content":`;
    for (const [userId, contents] of messages) {
      const deviceIds = known.get(userId);
      if (deviceIds === undefined) continue;
      for (const [deviceId, content] of contentsByDevice(contents, deviceIds)) {
        await insertMessage(tx, {
          user_id: userId,
          device_id: deviceId,
          position,
          json: `${head}${JSON.stringify(content)}}`,
        });
        if (this.#isToBeMeasured(userId, deviceId)) await this.#limit(tx, userId, deviceId);
        told.push([userId, deviceId]);
      }
    }
    tx.onCommit(() => {
      for (const [userId, deviceId] of told) {
        this.#hub.wake([`user:${userId}`], { stream: toDeviceStream(deviceId), position });
      }
      this.#hub.wake(['stream:to_device']);
    });
  }

  /** Positions are reserved far ahead, so that one never comes again although all rows are gone. */
  async #nextPosition(tx: WriteTx): Promise<number> {
    const position = tx.nextPosition('to_device');
    if (position <= this.#reserved) return position;
    const reserved = position + POSITIONS_RESERVED;
    await reservePositions(tx, 'to_device', reserved);
    tx.onCommit(() => {
      this.#reserved = Math.max(this.#reserved, reserved);
    });
    return position;
  }

  /** Counts a message to a device; true where the queue is to be measured again. */
  #isToBeMeasured(userId: UserId, deviceId: string): boolean {
    const key = `${userId}\0${deviceId}`;
    const count = (this.#uncounted.get(key) ?? 0) + 1;
    this.#uncounted.set(key, count % UNCOUNTED_MAX);
    return count === UNCOUNTED_MAX;
  }

  async #limit(tx: WriteTx, userId: UserId, deviceId: string): Promise<void> {
    const oldest = await positionOfNewest(tx, userId, deviceId, WAITING_MAX);
    if (oldest === undefined) return;
    const dropped = await deleteMessagesUpTo(tx, userId, deviceId, oldest);
    tx.onCommit(() => this.#log.warn({ userId, deviceId, dropped }, 'too many messages wait for a device'));
  }
}

/** What each of a user's devices gets: its own content, or else that for all of them. */
function contentsByDevice(
  contents: JsonObject,
  deviceIds: readonly string[],
): readonly (readonly [deviceId: string, content: unknown])[] {
  const named = deviceIds.flatMap((deviceId) =>
    Object.hasOwn(contents, deviceId) ? [[deviceId, contents[deviceId]] as const] : [],
  );
  if (!Object.hasOwn(contents, '*')) return named;
  const names = new Set(named.map(([deviceId]) => deviceId));
  const others = deviceIds.filter((deviceId) => !names.has(deviceId));
  return [...named, ...others.map((deviceId) => [deviceId, contents['*']] as const)];
}
