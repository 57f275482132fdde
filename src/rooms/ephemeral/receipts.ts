import type { AccountData } from '../../accounts/index.ts';
import type { Clock } from '../../clock.ts';
import { invalidParam, notFound } from '../../protocol/errors.ts';
import { type EventId, parseEventId, type RoomId, type UserId } from '../../protocol/ids/index.ts';
import { isJsonObject, type JsonObject, readString } from '../../protocol/json/index.ts';
import type { Database, ReadTx } from '../../storage/index.ts';
import type { Hub } from '../../streams/index.ts';
import type { StreamNews } from '../news.ts';
import { getJoinedRoom } from '../read/access.ts';
import type { EventReader, StoredEvent } from '../store/index.ts';
import type { ShadowBanSource } from '../write/shadows.ts';
import { receiptContent } from './receipt-content.ts';
import { advanceReceipt, findReceipt, listReceiptsSince, type ReceiptRange } from './receipt-rows.ts';
import type { UnreadCounts } from './unread-counts.ts';

/** Types of receipts that are kept; `m.fully_read` is account data. */
export type ReceiptType = 'm.read' | 'm.read.private';

export interface NewReceipt {
  readonly roomId: RoomId;
  readonly userId: UserId;
  readonly type: ReceiptType;
  readonly eventId: EventId;
  /** `main`, the first event of a thread, or undefined: unthreaded. */
  readonly threadId: string | undefined;
  /** When it was read, as another server says; now if missing. */
  readonly ts?: number | undefined;
}

export interface ReceiptsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly hub: Hub;
  readonly events: EventReader;
  readonly unread: UnreadCounts;
  /** Keeps `m.fully_read`. */
  readonly accountData: Pick<AccountData, 'find' | 'set'>;
  /** Whose receipts nobody else sees. */
  readonly shadowBans?: ShadowBanSource;
}

/**
 * Read receipts and the fully-read marker of local users. None of them ever goes backwards.
 * Spec: client-server-api/#receipts, client-server-api/#fully-read-markers
 */
export class Receipts {
  readonly #deps: ReceiptsDeps;

  constructor(deps: ReceiptsDeps) {
    this.#deps = deps;
  }

  /**
   * Sets a read receipt; resolves when it is durable. One that is not ahead of the present one changes nothing.
   * @throws M_FORBIDDEN for users who aren't in the room, M_NOT_FOUND for an event that isn't in it, M_INVALID_PARAM for
   * one that isn't in the thread
   */
  async set({ roomId, userId, type: asked, eventId, threadId, ts }: NewReceipt): Promise<void> {
    const { database, hub, unread, clock, shadowBans } = this.#deps;
    const type = shadowBans?.has(userId) === true ? 'm.read.private' : asked;
    const row = await database.read(async (tx) => {
      const { room_nid } = await getJoinedRoom(tx, roomId, userId);
      const stored = await this.#getEvent(tx, room_nid, eventId);
      if (threadId !== undefined) assertInThread(stored, threadId);
      const key = { room_nid, user_id: userId, type, thread_id: threadId ?? '' };
      const present = await findReceipt(tx, key);
      if (present !== undefined && present.event_position >= stored.position) return undefined;
      return {
        ...key,
        event_id: eventId,
        event_position: stored.position,
        ts: Math.min(ts ?? Number.POSITIVE_INFINITY, clock.now()),
      };
    });
    if (row === undefined) return;
    await database.write('main', async (tx) => {
      const position = tx.nextPosition('receipts');
      if (!(await advanceReceipt(tx, { ...row, position }))) return;
      tx.onCommit(() => {
        unread.forget(userId, row.room_nid, position);
        const news: StreamNews = { stream: 'receipts', position };
        hub.wake([`room:${roomId}`, 'stream:receipts'], news);
      });
    });
  }

  /**
   * Sets the fully-read marker.
   * Spec: client-server-api/#post_matrixclientv3roomsroomidread_markers
   * @throws M_FORBIDDEN for users who aren't in the room, M_NOT_FOUND for an event that isn't in it
   */
  async setFullyRead({ roomId, userId, eventId }: Omit<NewReceipt, 'type' | 'threadId'>): Promise<void> {
    const { database, accountData, events } = this.#deps;
    const content = await accountData.find(userId, roomId, 'm.fully_read');
    const presentId = content === undefined ? undefined : eventIdIn(content);
    const isAhead = await database.read(async (tx) => {
      const { room_nid } = await getJoinedRoom(tx, roomId, userId);
      const stored = await this.#getEvent(tx, room_nid, eventId);
      const [present] = presentId === undefined ? [] : await events.byIds(tx, [presentId]);
      return present === undefined || present.roomNid !== room_nid || present.position < stored.position;
    });
    if (!isAhead) return;
    await database.write('main', async (tx) => {
      await accountData.set(tx, userId, roomId, 'm.fully_read', { event_id: eventId });
    });
  }

  /** The contents of `m.receipt` for a viewer, by room nid: what was set in a stretch of the stream. */
  async since(tx: ReadTx, range: ReceiptRange, viewer: UserId): Promise<ReadonlyMap<number, JsonObject>> {
    const byRoom = Map.groupBy(await listReceiptsSince(tx, range), (row) => row.room_nid);
    const contents = new Map<number, JsonObject>();
    for (const [roomNid, rows] of byRoom) {
      const content = receiptContent(rows, viewer);
      if (content !== undefined) contents.set(roomNid, content);
    }
    return contents;
  }

  async #getEvent(tx: ReadTx, roomNid: number, eventId: EventId): Promise<StoredEvent> {
    const [stored] = await this.#deps.events.byIds(tx, [eventId]);
    if (stored === undefined || stored.roomNid !== roomNid || stored.position === 0 || stored.isRefused) {
      throw notFound('There is no such event in this room');
    }
    return stored;
  }
}

/** A thread's first event belongs to the main timeline, but a receipt for the thread may stand at it too. */
function assertInThread(stored: StoredEvent, threadId: string): void {
  const { threadRoot, event } = stored;
  const isInThread = threadId === 'main' ? threadRoot === undefined : threadId === (threadRoot ?? event.eventId);
  if (!isInThread) throw invalidParam('The event is not in this thread');
}

function eventIdIn(json: string): EventId | undefined {
  const content: unknown = JSON.parse(json);
  const eventId = isJsonObject(content) ? readString(content, 'event_id') : undefined;
  return eventId === undefined ? undefined : parseEventId(eventId);
}
