import type { Clock } from '../../clock.ts';
import { checkAuth } from '../../protocol/auth/index.ts';
import { addSignature, type SigningKey } from '../../protocol/crypto/index.ts';
import { badJson, forbidden, tooLarge } from '../../protocol/errors.ts';
import {
  BadPduError,
  buildEvent,
  canonicalJsonFor,
  Event,
  type EventDraft,
  eventSignedText,
  referenceHash,
} from '../../protocol/event/index.ts';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import type { WriteTx } from '../../storage/types.ts';
import type { StoredEvent } from '../store/index.ts';
import { EMPTY_STATE } from '../store/state-tree.ts';
import { consequencesAt, figuresAfter } from './consequences.ts';
import { authEntriesOf, inEventParts, newEventId, nextDepth, refusedEvent } from './event-parts.ts';
import { type Extremity, HotRoom, RoomIsHeld, type StateEntry, StateNotLoaded } from './hot-room.ts';
import type { HotRooms } from './hot-rooms.ts';
import type { AlsoWrite, ClientTransaction, PendingEvent, Placement } from './pending.ts';
import type { RoomBatches } from './room-batches.ts';
import { judgeUnread, type PushRuleSource } from './unread.ts';

/** An event that somebody wants to send: all that the room itself doesn't decide. */
export interface Proposal {
  readonly type: string;
  readonly sender: UserId;
  readonly stateKey?: string;
  readonly content: JsonObject;
  /** The event that a redaction redacts; whoever proposes has checked that it may. */
  readonly redacts?: StoredEvent;
  /** Milliseconds since the epoch; without it, now. */
  readonly originServerTs?: number;
  /** MSC4354: makes it sticky for so long. */
  readonly stickyDurationMs?: number;
  readonly transaction?: ClientTransaction;
}

/** What to do, decided on a room as it is: send an event, or nothing, since this event says it already. */
export type Decision = Proposal | { readonly already: EventId };

export interface RoomWriterDeps {
  readonly hotRooms: HotRooms;
  readonly batches: RoomBatches;
  readonly clock: Clock;
  readonly serverName: ServerName;
  readonly signingKey: SigningKey;
  readonly pushRules: PushRuleSource;
}

/** A decision asks for few state events; one that never has enough is wrong. */
const LOADS_MAX = 10;

/**
 * The one writer of the rooms. A local event is decided, built, judged and put into its room in one turn, so that the next
 * one builds on it before either is durable.
 */
export class RoomWriter {
  readonly #deps: RoomWriterDeps;
  #lastFoundingTs = 0;

  constructor(deps: RoomWriterDeps) {
    this.#deps = deps;
  }

  /**
   * Sends an event; resolves when it is durable. `decide` sees the room as it is now and may run more than once: it only
   * reads and throws. `also` runs in the event's transaction and must not fail.
   * @throws MatrixError 403 for an unknown room and where the rules refuse the event, 413 where it is too large
   */
  async append(roomId: RoomId, decide: (room: HotRoom) => Decision, also?: AlsoWrite): Promise<EventId> {
    const { eventId, written } = await this.read(roomId, (room) => {
      if (room.held !== undefined) throw new RoomIsHeld(room.held);
      const decision = decide(room);
      if ('already' in decision) return { eventId: decision.already, written: room.latestWrite };
      const pending = this.#advance(room, decision);
      // In the turn in which it was put into the room: batches keep the order of the room.
      return { eventId: pending.event.eventId, written: this.#deps.batches.enqueue(room, pending, also) };
    });
    await written;
    return eventId;
  }

  /**
   * Reads a room as it is now, uncommitted events included. `look` may run more than once.
   * @throws MatrixError 403 for an unknown room
   */
  async read<T>(roomId: RoomId, look: (room: HotRoom) => T): Promise<T> {
    const { hotRooms } = this.#deps;
    for (let loads = 0; loads <= LOADS_MAX; ) {
      const room = hotRooms.peek(roomId) ?? (await hotRooms.find(roomId));
      if (room === undefined) throw forbidden('You are not in this room');
      try {
        return look(room);
      } catch (error) {
        if (error instanceof RoomIsHeld) {
          await error.until;
          continue;
        }
        if (!(error instanceof StateNotLoaded)) throw error;
        await hotRooms.decode(error.entries);
        loads++;
      }
    }
    throw new Error(`the state of ${roomId} could not be loaded`);
  }

  /**
   * Puts an event of another server, which was judged on the room as it is in this turn, into the room. Resolves when it is
   * durable.
   * @throws StateNotLoaded: call it within `read`
   */
  put(
    room: HotRoom,
    event: Event,
    {
      placement,
      redacts,
      also,
    }: { placement?: Placement | undefined; redacts?: StoredEvent | undefined; also?: AlsoWrite | undefined },
  ): Promise<void> {
    const pending =
      placement?.refused === undefined
        ? this.#put(room, event, { ...(redacts === undefined ? {} : { redacts }) }, placement)
        : refusedEvent(room, event, placement);
    return this.#deps.batches.enqueue(room, pending, also);
  }

  /** An event of ours that isn't put into its room yet, as for an invite that another server signs too. */
  async draft(roomId: RoomId, decide: (room: HotRoom) => Proposal): Promise<Event> {
    return this.read(roomId, (room) => {
      const proposal = decide(room);
      const event = this.#build(room.rules, roomId, proposal, room.nextPrevEvents(), authEntriesOf(room, proposal));
      const verdict = checkAuth(event, room.auth);
      if (!verdict.allowed) throw forbidden(verdict.reason);
      return event;
    });
  }

  /** An event of another server's user, for that server to complete and sign. @throws StateNotLoaded: call it within `read` */
  template(room: HotRoom, proposal: Proposal): Event {
    return this.#build(room.rules, room.roomId, proposal, room.nextPrevEvents(), authEntriesOf(room, proposal));
  }

  /** Signs an event of ours from another server's template, as to join a room. */
  build(rules: RoomVersionRules, draft: Omit<EventDraft, 'eventId'>): Event {
    const { serverName, signingKey } = this.#deps;
    const ownId = rules.eventIds === 'in-event' ? { eventId: newEventId(serverName) } : {};
    return buildEvent({ ...draft, ...ownId }, rules, serverName, signingKey);
  }

  /** The event with our signature beside those it has. */
  countersign(event: Event): Event {
    const { serverName, signingKey } = this.#deps;
    const signature = signingKey.sign(eventSignedText(event.pdu, event.rules));
    const pdu = addSignature(event.pdu, serverName, signingKey.keyId, signature);
    return Event.fromJson(event.eventId, canonicalJsonFor(pdu, event.rules), event.rules);
  }

  /** A room that doesn't exist yet, with its create event. `roomId`: before room version 12. */
  found(
    rules: RoomVersionRules,
    roomId: RoomId | undefined,
    create: { readonly sender: UserId; readonly content: JsonObject },
  ): { readonly room: HotRoom; readonly pending: PendingEvent } {
    const originServerTs = this.#foundingTs();
    const proposal: Proposal = { type: 'm.room.create', stateKey: '', originServerTs, ...create };
    const event = this.#build(rules, roomId, proposal, [], []);
    const room = new HotRoom(event.roomId, rules, { roomNid: 0, stateRoot: EMPTY_STATE, rowVersion: 0 });
    return { room, pending: this.#put(room, event, proposal) };
  }

  /** Puts a further event into a room that `found` has made. @throws MatrixError as `append` */
  extend(room: HotRoom, proposal: Proposal): PendingEvent {
    return this.#advance(room, proposal);
  }

  /** Writes such a room, all in one transaction. `insert` makes its row and returns its nid. */
  async create(
    room: HotRoom,
    events: readonly PendingEvent[],
    insert: (tx: WriteTx) => Promise<number>,
    also: readonly AlsoWrite[],
  ): Promise<void> {
    await this.#deps.batches.create(room, events, insert, also);
  }

  /** The hash of the create event is the room's id in version 12: two rooms made alike in the same millisecond must differ. */
  #foundingTs(): number {
    this.#lastFoundingTs = Math.max(this.#deps.clock.now(), this.#lastFoundingTs + 1);
    return this.#lastFoundingTs;
  }

  #advance(room: HotRoom, proposal: Proposal): PendingEvent {
    const authEntries = authEntriesOf(room, proposal);
    const event = this.#build(room.rules, room.roomId, proposal, room.nextPrevEvents(), authEntries);
    const verdict = checkAuth(event, room.auth);
    if (!verdict.allowed) throw forbidden(verdict.reason);
    return this.#put(room, event, proposal);
  }

  #build(
    rules: RoomVersionRules,
    roomId: RoomId | undefined,
    proposal: Proposal,
    prev: readonly Extremity[],
    auth: readonly StateEntry[],
  ): Event {
    const { clock, serverName, signingKey } = this.#deps;
    const { type, sender, stateKey, content, redacts, stickyDurationMs } = proposal;
    const isRoomless = rules.createEventIsRoomId && type === 'm.room.create';
    const draft = {
      type,
      sender,
      content,
      originServerTs: proposal.originServerTs ?? clock.now(),
      depth: nextDepth(prev),
      prevEvents: prev.map((extremity) => extremity.eventId),
      authEvents: auth.map((entry) => entry.eventId),
      ...(isRoomless || roomId === undefined ? {} : { roomId }),
      ...(stateKey === undefined ? {} : { stateKey }),
      ...(redacts === undefined ? {} : { redacts: redacts.event.eventId }),
      ...(stickyDurationMs === undefined ? {} : { stickyDurationMs }),
      ...(rules.eventIds === 'in-event' ? inEventParts(rules, serverName, prev, auth) : {}),
    };
    try {
      return buildEvent(draft, rules, serverName, signingKey);
    } catch (error) {
      if (!(error instanceof BadPduError)) throw error;
      throw error.reason === 'too-large' ? tooLarge(error.message) : badJson(error.message);
    }
  }

  /** The event passed: the room goes on from it. */
  #put(
    room: HotRoom,
    event: Event,
    proposal: Pick<Proposal, 'redacts' | 'transaction'>,
    placement?: Placement,
  ): PendingEvent {
    const turned = placement?.turned;
    const consequences = consequencesAt(room, event, proposal.redacts, turned);
    const { entry, member, redaction } = consequences;
    const verdict = judgeUnread(event, this.#audienceOf(room), this.#deps.pushRules);
    const figures = figuresAfter(room, event, consequences, turned);
    const extremitiesBefore = room.extremities;
    const hash = room.rules.eventIds === 'in-event' ? referenceHash(event.pdu, room.rules) : undefined;
    const extremity: Extremity = { eventId: event.eventId, depth: event.depth, nid: 0, hash };
    const prev = new Set(event.prevEvents);
    const others = placement?.extremitiesAfter ?? extremitiesBefore.filter(({ eventId }) => !prev.has(eventId));
    room.extremities = placement?.isInner === true ? others : [...others, extremity];
    room.figures = figures;
    for (const one of turned?.entries ?? []) {
      room.state.set(`${one.entry.type}\0${one.entry.stateKey}`, one.entry);
      if (one.member !== undefined) room.members.set(one.member.userId, one.member.entry);
    }
    if (entry !== undefined) room.state.set(`${entry.type}\0${entry.stateKey}`, entry);
    if (member !== undefined) room.members.set(member.userId, member.entry);
    const redacted = redaction?.entry;
    if (redacted !== undefined) room.state.set(`${redacted.type}\0${redacted.stateKey}`, redacted);
    return {
      ...consequences,
      ...verdict,
      event,
      extremity,
      extremitiesBefore,
      extremitiesAfter: room.extremities,
      figuresAfter: figures,
      transaction: proposal.transaction,
      placement,
    };
  }

  #audienceOf(room: HotRoom) {
    return {
      joinedCount: room.figures.joinedCount,
      power: room.power(),
      isJoined: (userId: UserId) => room.isJoined(userId),
      isLocal: (userId: UserId) => serverNameOf(userId) === this.#deps.serverName,
    };
  }
}
