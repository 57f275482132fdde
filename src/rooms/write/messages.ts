import { forbidden, invalidParam, MatrixError, missingParam, notFound } from '../../protocol/errors.ts';
import {
  type EventId,
  parseEventId,
  parseUserId,
  type RoomId,
  serverNameOf,
  type UserId,
} from '../../protocol/ids/index.ts';
import { type JsonObject, readObject, readString } from '../../protocol/json/index.ts';
import { hasAnnotation, type StoredEvent } from '../store/index.ts';
import { checkCanonicalAlias } from './canonical-alias.ts';
import { assertJoined, checkPowerLevels, isSameContent, suspended } from './checks.ts';
import type { WriteDeps } from './deps.ts';
import type { HotRoom } from './hot-room.ts';
import type { Memberships } from './memberships.ts';
import type { ClientTransaction } from './pending.ts';

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
  readonly isSuspended?: boolean | undefined;
}

export interface SetStateRequest extends Omit<SendRequest, 'transaction'> {
  readonly stateKey: string;
  readonly isGuest?: boolean | undefined;
}

export interface RedactRequest extends Omit<SendRequest, 'type' | 'content'> {
  readonly redacts: EventId;
  readonly content: JsonObject;
}

/** Annotations of a room that are remembered, against two equal ones at once. */
const RECENT_ANNOTATIONS_MAX = 200;

/** Sends messages, state and redactions. Spec: client-server-api/#sending-events-to-a-room, client-server-api/#redactions */
export class Messages {
  readonly #deps: WriteDeps;
  readonly #memberships: Memberships;

  constructor(deps: WriteDeps, memberships: Memberships) {
    this.#deps = deps;
    this.#memberships = memberships;
  }

  /** Sends an event that isn't state. Redactions take effect in every room version. @throws MatrixError */
  send(request: SendRequest): Promise<EventId> {
    if (request.type === 'm.room.redaction') return this.#sendRedaction(request);
    if (request.isSuspended === true) throw suspended();
    const { roomId, type, transaction } = request;
    const scoped = withScope(transaction, `send/${roomId}/${type}`);
    return this.#deps.transactions.once(scoped, async () => {
      const annotation = annotationOf(request);
      if (annotation !== undefined) await this.#assertNewAnnotation(annotation);
      return this.#deps.writer.append(roomId, (room) => {
        if (annotation !== undefined) rememberAnnotation(room, annotation);
        return proposalOf(request, scoped);
      });
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
    const eventId = await this.#deps.writer.append(roomId, (room) => {
      const current = room.stateEvent(type, stateKey);
      if (current !== undefined && isSameContent(current.content, content)) {
        assertJoined(room, sender);
        return { already: current.eventId };
      }
      return { ...proposalOf(request, undefined), stateKey };
    });
    if (type === 'm.room.guest_access') await this.#removeGuests(roomId);
    return eventId;
  }

  /**
   * Redacts an event: one's own, or any with the power to.
   * @throws MatrixError 404 where the room has no such event, 403
   */
  redact(request: RedactRequest): Promise<EventId> {
    const scope = `redact/${request.roomId}/${request.redacts}`;
    return this.#redact(request, withScope(request.transaction, scope));
  }

  /** Redactions through /send (MSC4169): the target stands in the content, whatever the room version. */
  #sendRedaction(request: SendRequest): Promise<EventId> {
    const { redacts: target, ...content } = request.content;
    if (target === undefined) throw missingParam('redacts is missing');
    const redacts = typeof target === 'string' ? parseEventId(target) : undefined;
    if (redacts === undefined) throw invalidParam('redacts must be an event id');
    const scope = `send/${request.roomId}/m.room.redaction`;
    return this.#redact({ ...request, content, redacts }, withScope(request.transaction, scope));
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

  /** Spec: client-server-api/#avoiding-duplicate-annotations */
  async #assertNewAnnotation(annotation: Annotation): Promise<void> {
    if (await this.#deps.database.read((tx) => hasAnnotation(tx, annotation))) throw duplicateAnnotation();
  }
}

interface Annotation {
  readonly relatesTo: EventId;
  readonly type: string;
  readonly key: string;
  readonly sender: UserId;
}

function annotationOf({ type, sender, content }: SendRequest): Annotation | undefined {
  const relation = readObject(content, 'm.relates_to');
  if (relation === undefined || readString(relation, 'rel_type') !== 'm.annotation') return undefined;
  const relatesTo = parseEventId(readString(relation, 'event_id') ?? '');
  const key = readString(relation, 'key');
  return relatesTo === undefined || key === undefined ? undefined : { relatesTo, type, key, sender };
}

/** Two equal annotations at once both find none in the database: the room remembers the latest ones. */
function rememberAnnotation(room: HotRoom, annotation: Annotation): void {
  const name = JSON.stringify([annotation.relatesTo, annotation.type, annotation.key, annotation.sender]);
  if (room.recentAnnotations.has(name)) throw duplicateAnnotation();
  const oldest = room.recentAnnotations.values().next().value;
  if (room.recentAnnotations.size >= RECENT_ANNOTATIONS_MAX && oldest !== undefined) {
    room.recentAnnotations.delete(oldest);
  }
  room.recentAnnotations.add(name);
}

function duplicateAnnotation(): MatrixError {
  return new MatrixError('M_DUPLICATE_ANNOTATION', 'You have annotated this event with the same key');
}

function withScope(transaction: TransactionOf | undefined, scope: string): ClientTransaction | undefined {
  return transaction === undefined ? undefined : { ...transaction, scope };
}

function proposalOf(
  { type, sender, content, originServerTs }: SendRequest,
  transaction: ClientTransaction | undefined,
) {
  return {
    type,
    sender,
    content,
    ...(originServerTs === undefined ? {} : { originServerTs }),
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
