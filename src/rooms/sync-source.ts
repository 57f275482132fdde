import type { Clock } from '../clock.ts';
import { strippedState } from '../protocol/event/index.ts';
import type { RoomEventFilter } from '../protocol/filter/index.ts';
import type { RoomId, UserId } from '../protocol/ids/index.ts';
import { isJsonArray, type JsonObject } from '../protocol/json/index.ts';
import type { ReadTx } from '../storage/index.ts';
import type { Receipts, Typing, TypingInRoom, UnreadCounts, UnreadRequest, UnreadRoom } from './ephemeral/index.ts';
import type { PartialRooms } from './partial-rooms.ts';
import { standingOf } from './read/access.ts';
import { type Reading, RoomSight, type Viewer } from './read/index.ts';
import { withRelated } from './read/related-filter.ts';
import type { RoomSummary, Summaries } from './read/summary.ts';
import {
  listRoomsOfUser,
  listSticky,
  type RoomMembershipRow,
  type RoomRange,
  type StateKeyName,
  type StateKeys,
  type StickyPlace,
  type StickyRange,
  type StoredEvent,
} from './store/index.ts';
import { type LastPositions, listLastPositions } from './store/last-positions-store.ts';
import { listJoinedAmong, listJoinedIn, listMovedAfter, type MemberPosition } from './store/shared-rooms.ts';
import type { StateTree } from './store/state-tree.ts';

/** What the source is made of; all of it belongs to the process. */
export interface SyncSourceDeps {
  readonly clock: Clock;
  readonly reading: Reading;
  readonly stateTree: StateTree;
  readonly stateKeys: StateKeys;
  readonly receipts: Receipts;
  readonly unread: UnreadCounts;
  readonly typing: Typing;
  readonly summaries: Summaries;
  readonly partial: PartialRooms;
}

/** The state that goes with an invite or a knock. Spec: client-server-api/#stripped-state */
const STRIPPED_TYPES = [
  'm.room.create',
  'm.room.name',
  'm.room.avatar',
  'm.room.topic',
  'm.room.join_rules',
  'm.room.canonical_alias',
  'm.room.encryption',
];

/** The rooms as sync reads them: everything in batches, everything within the caller's snapshot. */
export class SyncSource {
  readonly #deps: SyncSourceDeps;

  constructor(deps: SyncSourceDeps) {
    this.#deps = deps;
  }

  /** Whether members of the room are still missing. */
  isPartial(roomNid: number): boolean {
    return this.#deps.partial.find(roomNid) !== undefined;
  }

  /** The position at which a room became whole that was partial; 0 for all others. */
  completedAt(roomNid: number): number {
    return this.#deps.partial.completedAt(roomNid) ?? 0;
  }

  listRoomsOfUser(tx: ReadTx, userId: UserId): Promise<readonly RoomMembershipRow[]> {
    return listRoomsOfUser(tx, userId);
  }

  /** Where the streams of events and receipts stand in each room. */
  lastPositions(tx: ReadTx, roomNids: readonly number[]): Promise<ReadonlyMap<number, LastPositions>> {
    return listLastPositions(tx, roomNids);
  }

  eventsInRoom(tx: ReadTx, roomNid: number, range: RoomRange): Promise<readonly StoredEvent[]> {
    return this.#deps.reading.events.inRoom(tx, roomNid, range);
  }

  eventsByNids(tx: ReadTx, nids: readonly number[]): Promise<readonly StoredEvent[]> {
    return this.#deps.reading.events.byNids(tx, nids);
  }

  stateEntries(tx: ReadTx, root: number): Promise<ReadonlyMap<number, number>> {
    return this.#deps.stateTree.entries(tx, root);
  }

  stateDiff(tx: ReadTx, before: number, after: number): Promise<ReadonlyMap<number, number | undefined>> {
    return this.#deps.stateTree.diff(tx, before, after);
  }

  stateEvent(tx: ReadTx, root: number, keyNid: number): Promise<number | undefined> {
    return this.#deps.stateTree.get(tx, root, keyNid);
  }

  findStateKey(tx: ReadTx, type: string, stateKey: string): Promise<number | undefined> {
    return this.#deps.stateKeys.find(tx, type, stateKey);
  }

  stateKeyNames(tx: ReadTx, nids: readonly number[]): Promise<ReadonlyMap<number, StateKeyName>> {
    return this.#deps.stateKeys.names(tx, nids);
  }

  /** A user's sight of a room. `isJoined`: known to be in it now; otherwise that is looked up. */
  async sight(tx: ReadTx, userId: UserId, roomNid: number, isJoined: boolean): Promise<RoomSight> {
    const { states } = this.#deps.reading;
    const standing = isJoined ? ({ kind: 'joined' } as const) : await standingOf(tx, states, roomNid, userId);
    return new RoomSight(states, userId, standing);
  }

  /** Client events of one room as JSON, one each, without `room_id`. `aggregateBut`: with aggregations, see PresentOptions. */
  present(
    tx: ReadTx,
    events: readonly StoredEvent[],
    viewer: Viewer,
    sight: RoomSight,
    aggregateBut?: ReadonlySet<UserId>,
  ): Promise<readonly string[]> {
    return this.#deps.reading.presenter.present(tx, events, viewer, { format: 'inRoom', sight, aggregateBut });
  }

  /**
   * The stripped state that goes with an invite or a knock, as JSON, one each, the member event last: what came with it
   * from another server, or the room's own at that moment.
   */
  async strippedState(tx: ReadTx, member: StoredEvent): Promise<readonly string[]> {
    const own = JSON.stringify(strippedState(member.event));
    const { invite_room_state: invited, knock_room_state: knocked } = member.event.unsigned;
    const given = invited ?? knocked;
    if (isJsonArray(given)) return [...given.map((event) => JSON.stringify(event)), own];
    const { states } = this.#deps.reading;
    const events: string[] = [];
    for (const type of STRIPPED_TYPES) {
      const stored = await states.event(tx, member.stateBefore, type, '');
      if (stored !== undefined) events.push(JSON.stringify(strippedState(stored.event)));
    }
    const inviter = await states.memberEvent(tx, member.stateBefore, member.event.sender);
    if (inviter !== undefined && member.event.sender !== member.event.stateKey) {
      events.push(JSON.stringify(strippedState(inviter.event)));
    }
    return [...events, own];
  }

  /** Those of the events that have the children that a filter asks for (MSC3440). */
  withRelated(tx: ReadTx, events: readonly StoredEvent[], filter: RoomEventFilter): Promise<readonly StoredEvent[]> {
    return withRelated(tx, events, filter);
  }

  /** The sticky events of rooms after a position up to another one that haven't expired, in their order. */
  sticky(tx: ReadTx, range: Omit<StickyRange, 'now'>): Promise<readonly StickyPlace[]> {
    return listSticky(tx, { ...range, now: this.#deps.clock.now() });
  }

  /** Memberships in rooms as they are now, of those whose last member event is after a position. */
  membersMovedAfter(tx: ReadTx, roomNids: readonly number[], position: number): Promise<readonly MemberPosition[]> {
    return listMovedAfter(tx, roomNids, position);
  }

  /** Who is joined to any of some rooms. */
  joinedIn(tx: ReadTx, roomNids: readonly number[]): Promise<readonly UserId[]> {
    return listJoinedIn(tx, roomNids);
  }

  /** Which of some users are joined to which of some rooms. */
  joinedAmong(tx: ReadTx, roomNids: readonly number[], userIds: readonly UserId[]): Promise<readonly MemberPosition[]> {
    return listJoinedAmong(tx, roomNids, userIds);
  }

  unreadCounts(tx: ReadTx, request: UnreadRequest): Promise<ReadonlyMap<number, UnreadRoom>> {
    return this.#deps.unread.count(tx, request);
  }

  summaries(tx: ReadTx, roomNids: readonly number[], userId: UserId): Promise<ReadonlyMap<number, RoomSummary>> {
    return this.#deps.summaries.summariesOf(tx, roomNids, userId);
  }

  /** The content of `m.receipt` by room, of receipts after `after` up to `upTo` that the user may see. */
  receipts(
    tx: ReadTx,
    userId: UserId,
    range: { readonly roomNids: readonly number[]; readonly after: number; readonly upTo: number },
  ): Promise<ReadonlyMap<number, JsonObject>> {
    return this.#deps.receipts.since(tx, range, userId);
  }

  /** Who types in a room, and since when; undefined where nobody has lately. */
  typingIn(roomId: RoomId): TypingInRoom | undefined {
    return this.#deps.typing.inRoom(roomId);
  }

  /** The rooms where somebody types, or did a moment ago. */
  typingRooms(): Iterable<RoomId> {
    return this.#deps.typing.activeRooms;
  }
}
