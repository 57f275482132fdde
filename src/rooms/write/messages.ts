import { KeyedLocks } from '../../keyed-locks.ts';
import { forbidden, invalidParam, MatrixError, missingParam, notFound } from '../../protocol/errors.ts';
import { STICKY_MS_MAX } from '../../protocol/event/index.ts';
import {
  type EventId,
  parseEventId,
  parseUserId,
  type RoomId,
  serverNameOf,
  type UserId,
} from '../../protocol/ids/index.ts';
import { type JsonObject, readString } from '../../protocol/json/index.ts';
import { DELAYED_DEVICE, listRelating, type StoredEvent } from '../store/index.ts';
import { checkCanonicalAlias } from './canonical-alias.ts';
import { assertJoined, checkPowerLevels, isSameContent, suspended } from './checks.ts';
import type { WriteDeps } from './deps.ts';
import type { HotRoom } from './hot-room.ts';
import type { Memberships } from './memberships.ts';
import type { ClientTransaction } from './pending.ts';
import { annotationOf, assertMayRelate, nameOf } from './relation-checks.ts';

/** A client's transaction; its scope is made of the endpoint and what it is called on. */
export type TransactionOf = Omit<ClientTransaction, 'scope'>;

export interface SendRequest {
  readonly roomId: RoomId;
  readonly sender: UserId;
  readonly type: string;
  readonly content: JsonObject;
  readonly transaction?: TransactionOf | undefined;
  /** Milliseconds since the epoch; for application services. */
  readonly originServerTs?: number | undefined;
  /** MSC4354: sticky for so many milliseconds; what is above the maximum is taken as the maximum. */
  readonly stickyDurationMs?: number | undefined;
  /** The delayed event that this one comes from (MSC4140): it is sent once, and its sender is told the id. */
  readonly delayId?: string | undefined;
  readonly isSuspended?: boolean | undefined;
}

export interface SetStateRequest extends Omit<SendRequest, 'transaction'> {
  readonly stateKey: string;
  readonly isGuest?: boolean | undefined;
}

export interface RedactRequest extends Omit<SendRequest, 'type' | 'content'> {
  readonly redacts: EventId;
  readonly content: JsonObject;
  /** Redact the events too that relate to it by one of these types, `*` for any (MSC3912). */
  readonly withRelTypes?: readonly string[] | undefined;
}

/** How many related events one redaction takes with it. */
const RELATED_REDACTED_MAX = 1_000;

/** Sends messages, state and redactions. Spec: client-server-api/#sending-events-to-a-room, client-server-api/#redactions */
export class Messages {
  readonly #deps: WriteDeps;
  readonly #memberships: Memberships;
  /** Two equal annotations at once would both find none. */
  readonly #annotating = new KeyedLocks();

  constructor(deps: WriteDeps, memberships: Memberships) {
    this.#deps = deps;
    this.#memberships = memberships;
  }

  /** Sends an event that isn't state. Redactions take effect in every room version. @throws MatrixError */
  send(request: SendRequest): Promise<EventId> {
    if (request.type === 'm.room.redaction') return this.#sendRedaction(request);
    if (request.isSuspended === true) throw suspended();
    const { roomId, type } = request;
    const scoped = transactionOf(request, `send/${roomId}/${type}`);
    return this.#deps.transactions.once(scoped, async () => {
      const send = () => this.#deps.writer.append(roomId, () => proposalOf(request, scoped));
      if (request.content['m.relates_to'] === undefined) return send();
      const checkAndSend = async () => {
        await this.#deps.database.read((tx) => assertMayRelate(tx, this.#deps.reader, request));
        return send();
      };
      const annotation = annotationOf(request);
      return annotation === undefined ? checkAndSend() : this.#annotating.run(nameOf(annotation), checkAndSend);
    });
  }

  /**
   * Sets state; the content that is there already changes nothing.
   * @throws MatrixError
   */
  async setState(request: SetStateRequest): Promise<EventId> {
    const { roomId, sender, type, stateKey, content } = request;
    if (type === 'm.room.member') return this.#setMember(request);
    if (request.isSuspended === true) throw suspended();
    if (type === 'm.room.power_levels') checkPowerLevels(content);
    if (type === 'm.room.canonical_alias') {
      await checkCanonicalAlias(this.#deps, roomId, stateKey, content);
    }
    const transaction = transactionOf(request, '');
    // What is to be sticky is to be told, be it the same or not.
    const isNews = request.stickyDurationMs !== undefined;
    const append = () =>
      this.#deps.writer.append(roomId, (room) => {
        const current = room.stateEvent(type, stateKey);
        if (!isNews && current !== undefined && isSameContent(current.content, content)) {
          assertJoined(room, sender);
          return { already: current.eventId };
        }
        return { ...proposalOf(request, transaction), stateKey };
      });
    const eventId = await this.#deps.transactions.once(transaction, append);
    if (type === 'm.room.guest_access') await this.#removeGuests(roomId);
    return eventId;
  }

  /** What a delayed event of this sender became; undefined where it was not sent. MSC4140 */
  findDelayed(sender: UserId, delayId: string): Promise<EventId | undefined> {
    return this.#deps.transactions.find(delayedTransaction(sender, delayId));
  }

  /**
   * Redacts an event: one's own, or any with the power to.
   * @throws MatrixError 404 where the room has no such event, 403
   */
  async redact(request: RedactRequest): Promise<EventId> {
    const scope = `redact/${request.roomId}/${request.redacts}`;
    const redaction = await this.#redact(request, transactionOf(request, scope));
    if (request.withRelTypes !== undefined) await this.#redactRelated(request, request.withRelTypes);
    return redaction;
  }

  /** Redacts what relates to an event, as far as the sender may: their own events, or all of them. */
  async #redactRelated(request: RedactRequest, withRelTypes: readonly string[]): Promise<void> {
    const { roomId, redacts: parent } = request;
    const { database, writer } = this.#deps;
    const roomNid = await writer.read(roomId, (room) => room.roomNid);
    const relTypes = withRelTypes.includes('*') ? undefined : withRelTypes;
    const related = await database.read((tx) =>
      listRelating(tx, { parent, roomNid, relTypes, limit: RELATED_REDACTED_MAX }),
    );
    const redacting = related.map((redacts) => this.#redact({ ...request, redacts }, undefined));
    for (const outcome of await Promise.allSettled(redacting)) {
      if (outcome.status === 'rejected' && !(outcome.reason instanceof MatrixError)) throw outcome.reason;
    }
  }

  /** Redactions through /send (MSC4169): the target stands in the content, whatever the room version. */
  #sendRedaction(request: SendRequest): Promise<EventId> {
    const { redacts: target, ...content } = request.content;
    if (target === undefined) throw missingParam('redacts is missing');
    const redacts = typeof target === 'string' ? parseEventId(target) : undefined;
    if (redacts === undefined) throw invalidParam('redacts must be an event id');
    const scope = `send/${request.roomId}/m.room.redaction`;
    return this.#redact({ ...request, content, redacts }, transactionOf(request, scope));
  }

  #redact(request: RedactRequest, transaction: ClientTransaction | undefined): Promise<EventId> {
    const { roomId, sender, redacts } = request;
    return this.#deps.transactions.once(transaction, async () => {
      const target = await this.#findTarget(roomId, sender, redacts);
      return this.#deps.writer.append(roomId, (room) => {
        assertMayRedact(room, sender, target, request.isSuspended === true);
        return { ...proposalOf({ ...request, type: 'm.room.redaction' }, transaction), redacts: target };
      });
    });
  }

  async #findTarget(roomId: RoomId, sender: UserId, redacts: EventId): Promise<StoredEvent> {
    const roomNid = await this.#deps.writer.read(roomId, (room) => {
      assertJoined(room, sender);
      return room.roomNid;
    });
    const [target] = await this.#deps.database.read((tx) => this.#deps.reader.byIds(tx, [redacts]));
    if (target === undefined || target.roomNid !== roomNid) throw notFound('There is no such event in this room');
    // Up to room version 10 that would strip the room's version and predecessor from it.
    if (target.event.isCreate) throw forbidden('The event that made the room can not be redacted');
    return target;
  }

  async #setMember(request: SetStateRequest): Promise<EventId> {
    const { roomId, sender, stateKey, content } = request;
    const target = parseUserId(stateKey);
    if (target === undefined) throw invalidParam('The state key of m.room.member must be a user id');
    const isLeaving = target === sender && readString(content, 'membership') === 'leave';
    if (request.isSuspended === true && !isLeaving) throw suspended();
    return this.#memberships.set(sender, roomId, target, content, request.isGuest === true);
  }

  /** Guests must go where they may no longer be. Spec: client-server-api/#guest-access */
  async #removeGuests(roomId: RoomId): Promise<void> {
    const { writer, guests, serverName } = this.#deps;
    const locals = await writer.read(roomId, (room) => {
      if (room.figures.digest.guest_access === 'can_join') return [];
      return [...room.members.entries()]
        .filter(([userId, { membership }]) => membership === 'join' && serverNameOf(userId) === serverName)
        .map(([userId]) => userId);
    });
    if (locals.length === 0) return;
    const leaving = await guests.guestsAmong(locals);
    await Promise.all(leaving.map((userId) => this.#memberships.leave({ roomId, userId })));
  }
}

/** The request's own transaction, or that of the delayed event. */
function transactionOf(
  { transaction, delayId, sender }: Pick<SendRequest, 'transaction' | 'delayId' | 'sender'>,
  scope: string,
): ClientTransaction | undefined {
  if (delayId !== undefined) return delayedTransaction(sender, delayId);
  return transaction === undefined ? undefined : { ...transaction, scope };
}

function delayedTransaction(userId: UserId, delayId: string): ClientTransaction {
  return { userId, deviceId: DELAYED_DEVICE, scope: 'delayed', txnId: delayId };
}

function proposalOf(
  { type, sender, content, originServerTs, stickyDurationMs }: SendRequest,
  transaction: ClientTransaction | undefined,
) {
  return {
    type,
    sender,
    content,
    ...(originServerTs === undefined ? {} : { originServerTs }),
    ...(stickyDurationMs === undefined ? {} : { stickyDurationMs: Math.min(stickyDurationMs, STICKY_MS_MAX) }),
    ...(transaction === undefined ? {} : { transaction }),
  };
}

/** Spec: client-server-api/#redactions */
function assertMayRedact(room: HotRoom, sender: UserId, target: StoredEvent, onlyOwn: boolean): void {
  assertJoined(room, sender);
  if (target.event.sender === sender) return;
  if (onlyOwn) throw suspended();
  const power = room.power();
  if (power.users(sender) < power.redact) throw forbidden('You may only redact your own events in this room');
}
