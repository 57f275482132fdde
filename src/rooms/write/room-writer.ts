import type { Clock } from '../../clock.ts';
import { checkAuth, refusalText } from '../../protocol/auth/index.ts';
import type { SigningKey } from '../../protocol/crypto/index.ts';
import { forbidden } from '../../protocol/errors.ts';
import { type Event, type EventDraft, referenceHash } from '../../protocol/event/index.ts';
import { type EventId, type RoomId, type ServerName, serverNameOf, type UserId } from '../../protocol/ids/index.ts';
import type { JsonObject } from '../../protocol/json/index.ts';
import type { RoomVersionRules } from '../../protocol/room-versions/index.ts';
import type { WriteTx } from '../../storage/types.ts';
import type { StoredEvent } from '../store/index.ts';
import { EMPTY_STATE } from '../store/state-tree.ts';
import { consequencesAt, figuresAfter } from './consequences.ts';
import { authEntriesOf, refusedEvent } from './event-parts.ts';
import { type Extremity, HotRoom, RoomIsHeld, StateNotLoaded } from './hot-room.ts';
import type { HotRooms } from './hot-rooms.ts';
import { OwnEvents } from './own-events.ts';
import type { AlsoWrite, ClientTransaction, PendingEvent, Placement } from './pending.ts';
import type { Reviews } from './reviews.ts';
import type { RoomBatches } from './room-batches.ts';
import type { Shadows } from './shadows.ts';
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

/** How an event that was judged is put into its room. */
export interface Putting {
  readonly placement?: Placement | undefined;
  readonly redacts?: StoredEvent | undefined;
  readonly transaction?: ClientTransaction | undefined;
  readonly also?: AlsoWrite | undefined;
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
  readonly shadows: Shadows;
  /** Undefined where this server doesn't federate: then no policy server can be asked. */
  readonly reviews: Reviews | undefined;
}

/** A decision asks for few state events; one that never has enough is wrong. */
const LOADS_MAX = 10;

/**
 * The one writer of the rooms. A local event is decided, built, judged and put into its room in one turn, so that the next
 * one builds on it before either is durable.
 */
export class RoomWriter {
  readonly #deps: RoomWriterDeps;
  readonly #own: OwnEvents;
  #lastFoundingTs = 0;

  constructor(deps: RoomWriterDeps) {
    this.#deps = deps;
    this.#own = new OwnEvents(deps);
  }

  /**
   * Sends an event; resolves when it is durable. `decide` sees the room as it is now and may run more than once: it only
   * reads and throws. `also` runs in the event's transaction and must not fail.
   * @throws MatrixError 403 for an unknown room and where the rules refuse the event, 413 where it is too large
   */
  async append(roomId: RoomId, decide: (room: HotRoom) => Decision, also?: AlsoWrite): Promise<EventId> {
    const { shadows, reviews, batches } = this.#deps;
    const { eventId, written } = await this.read(roomId, (room) => {
      if (room.held !== undefined) throw new RoomIsHeld(room.held);
      const decision = decide(room);
      if ('already' in decision) return { eventId: decision.already, written: room.latestWrite };
      const event = this.#judged(room, decision);
      const shadow = shadows.shadowOf(event, decision.transaction);
      if (shadow !== undefined) return { eventId: shadow, written: undefined };
      const policy = reviews?.policyOf(room, event);
      if (policy !== undefined) {
        return { eventId: event.eventId, written: reviews?.append(policy, event, { ...decision, also }) };
      }
      // In the turn in which it was put into the room: batches keep the order of the room.
      return { eventId: event.eventId, written: batches.enqueue(room, this.#put(room, event, decision), also) };
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
   * Puts an event that was made before, mostly of another server, and which was judged on the room as it is in this turn, into the room. Resolves when it is
   * durable.
   * @throws StateNotLoaded: call it within `read`
   */
  put(room: HotRoom, event: Event, { placement, redacts, transaction, also }: Putting): Promise<void> {
    const pending =
      placement?.refused === undefined
        ? this.#put(room, event, { redacts, transaction }, placement)
        : refusedEvent(room, event, placement);
    return this.#deps.batches.enqueue(room, pending, also);
  }

  /**
   * An event of ours that isn't put into its room yet, as for an invite that another server signs too; signed by the room's
   * policy server where it has one. @throws MatrixError as `append`
   */
  async draft(roomId: RoomId, decide: (room: HotRoom) => Proposal): Promise<Event> {
    const { reviews } = this.#deps;
    const { event, policy } = await this.read(roomId, (room) => {
      const judged = this.#judged(room, decide(room));
      return { event: judged, policy: reviews?.policyOf(room, judged) };
    });
    return policy === undefined || reviews === undefined ? event : reviews.sign(policy, event);
  }

  /** An event of another server's user, for that server to complete and sign. @throws StateNotLoaded: call it within `read` */
  template(room: HotRoom, proposal: Proposal): Event {
    return this.#own.propose(room.rules, room.roomId, proposal, room.nextPrevEvents(), authEntriesOf(room, proposal));
  }

  /** Signs an event of ours from another server's template, as to join a room. */
  build(rules: RoomVersionRules, draft: Omit<EventDraft, 'eventId'>): Event {
    return this.#own.complete(rules, draft);
  }

  /** The event with our signature beside those it has. */
  countersign(event: Event): Event {
    return this.#own.countersign(event);
  }

  /** A room that doesn't exist yet, with its create event. `roomId`: before room version 12. */
  found(
    rules: RoomVersionRules,
    roomId: RoomId | undefined,
    create: { readonly sender: UserId; readonly content: JsonObject },
  ): { readonly room: HotRoom; readonly pending: PendingEvent } {
    const originServerTs = this.#foundingTs();
    const proposal: Proposal = { type: 'm.room.create', stateKey: '', originServerTs, ...create };
    const event = this.#own.propose(rules, roomId, proposal, [], []);
    const room = new HotRoom(event.roomId, rules, { roomNid: 0, stateRoot: EMPTY_STATE, rowVersion: 0 });
    return { room, pending: this.#put(room, event, proposal) };
  }

  /** Puts a further event into a room that `found` has made. @throws MatrixError as `append` */
  extend(room: HotRoom, proposal: Proposal): PendingEvent {
    return this.#put(room, this.#judged(room, proposal), proposal);
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

  /** What somebody proposes, as an event that the rules allow now. */
  #judged(room: HotRoom, proposal: Proposal): Event {
    const event = this.template(room, proposal);
    const verdict = checkAuth(event, room.auth);
    if (!verdict.allowed) throw forbidden(refusalText(verdict));
    return event;
  }

  /** The event passed: the room goes on from it. */
  #put(
    room: HotRoom,
    event: Event,
    proposal: Pick<Putting, 'redacts' | 'transaction'>,
    placement?: Placement,
  ): PendingEvent {
    const turned = placement?.turned;
    const consequences = consequencesAt(room, event, proposal.redacts, turned);
    const { entry, member, redaction } = consequences;
    const verdict = judgeUnread(event, this.#audienceOf(room), this.#deps.pushRules);
    const figures = figuresAfter(room, event, consequences, turned);
    const extremitiesBefore = room.extremities;
    const hash = room.rules.eventIds === 'in-event' ? referenceHash(event.exactPdu, room.rules) : undefined;
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
      joinedUsers: () => room.members.joined(),
      displayNames: (userIds: readonly UserId[]) => room.displayNames(userIds),
      isLocal: (userId: UserId) => serverNameOf(userId) === this.#deps.serverName,
    };
  }
}
